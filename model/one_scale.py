"""The network of `mairror-age-1-fast`: the fine trunk of `mairror-age-1` alone, on a smaller and closer chip.

Half the side is a quarter of the work. The closer cut leaves the face 80 pixels of 112 (`mairror-age-1`: 118 of 224;
with its own padding it would be 59), and without the coarse trunk a batch is done a third sooner: docs/training.md,
"The fast one". Keras 3 layers only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from model.mobilenet import Weights, fill, trunk
from model.two_scale import head_outputs, of_heads

if TYPE_CHECKING:
    import keras

SIZE: Final = 112
"""Side of the chip, pixels."""

PADDING: Final = 0.2
"""dlib's padding of the chip."""

FEATURES: Final = 1024


def build_one_scale(weights: Weights | None, heads: Sequence[str] = ("age",), size: int = SIZE) -> keras.Model:
    """The whole network; arguments and answers are those of `model.two_scale.build_two_scale`."""
    import keras

    inputs = keras.Input((size, size, 3), name="rgb")
    pixels = keras.layers.Rescaling(1.0, name="pixels")(inputs)
    features = keras.layers.GlobalAveragePooling2D(name="embedding")(trunk(pixels))
    outputs = head_outputs(features, heads)
    model = keras.Model(inputs, outputs["age"] if list(heads) == ["age"] else outputs, name="mairror-age-fast")
    if weights is not None:
        fill(model, of_heads(weights, heads))
    return model


def of_two_scale(weights: Weights) -> dict[str, npt.NDArray[Any]]:
    """What this network can take over from the larger one: the fine trunk, and the heads as far as they read it."""
    kept = {name: np.asarray(array) for name, array in weights.items() if not name.startswith("coarse_")}
    return {name: array[:FEATURES] if name.endswith("_hidden/kernel") else array for name, array in kept.items()}
