"""The preset `mairror-age-1-fast`: its manifest and model card."""
