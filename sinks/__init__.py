"""Readers of the result topics: the store, and later the live fan-out."""
