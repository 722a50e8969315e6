"""From pictures to ages: decode, detect, align, estimate, and when not to answer.

Importing this package, or `model.images`, `model.faces` and `model.manifest`, loads no neural network library.
"""
