"""Measures presets on labelled faces: what `mairror evaluate` runs. Nothing here runs while frames are answered, but
`model.evaluation.finding`, which also serves pictures that are known to show a face.
"""
