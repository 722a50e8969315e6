"""The preset `cydral`: its manifest and model card."""
