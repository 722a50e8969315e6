"""How much of the model's bare speed a whole Mairror keeps: what `mairror bench` runs."""
