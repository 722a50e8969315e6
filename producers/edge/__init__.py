"""Strangers' bytes: told apart by signature, decoded once in a limited process, stripped and encoded anew."""
