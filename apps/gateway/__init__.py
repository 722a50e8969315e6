"""The HTTP door: pictures in, answers out, live streams, for programs in any language."""
