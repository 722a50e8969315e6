"""Age presets: one folder each, with a manifest (`model.manifest`) and a model card."""
