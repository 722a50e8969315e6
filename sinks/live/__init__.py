"""Live fan-out: what the topics say now, for any number of viewers."""
