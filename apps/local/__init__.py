"""One machine, no Docker: a real Kafka broker, a MongoDB-wire store and every service under one supervisor."""
