"""The preset `mairror-age-1`: its manifest and model card."""
