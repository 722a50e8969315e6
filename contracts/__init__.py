"""What crosses Kafka: topics, message types, settings, metrics, errors. Imports nothing of ours."""
