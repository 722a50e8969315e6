"""Frame publishers: what turns a camera, a file or a photo into frames on Kafka."""
