"""MobileNet-v1 with its batch norms folded into the convolutions, in Keras 3 layers and `keras.ops` only.

Two networks share the trunk: `faceres-deep`, the published teacher, and `mairror-age-1`, which is initialised from it.
Keras is imported inside functions, so that reading this module costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from contracts.errors import FatalError

if TYPE_CHECKING:
    import keras

Array = npt.NDArray[np.float32]
Weights = Mapping[str, npt.NDArray[Any]]

MEAN: Final = (123.68, 116.779, 103.939)
"""RGB mean subtracted from the pixels. faceres-deep was trained on BGR; its first kernel is stored turned around."""

STEM: Final = 32
"""Filters of the first convolution."""

BLOCKS: Final = (
    # (filters, strides) of each depthwise and pointwise pair
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
)

TEACHER_SIZE: Final = 224
"""Side of faceres-deep's input, pixels."""

TEACHER_BINS: Final = 100
"""faceres-deep answers with probabilities of the ages 0 to 99."""


def trunk(rgb: Any, blocks: int = len(BLOCKS)) -> Any:
    """Pixels 0..255 [n, size, size, 3] to the features of the first `blocks` blocks, [n, h, w, filters]."""
    import keras

    x = keras.layers.Rescaling(1.0, offset=[-mean for mean in MEAN], name="normalise")(rgb)
    x = keras.layers.Conv2D(STEM, 3, strides=2, padding="same", name="conv1")(x)
    x = keras.layers.ReLU(6.0, name="conv1_relu")(x)
    for number, (filters, strides) in enumerate(BLOCKS[:blocks], start=1):
        x = keras.layers.DepthwiseConv2D(3, strides=strides, padding="same", name=f"dw{number}")(x)
        x = keras.layers.ReLU(6.0, name=f"dw{number}_relu")(x)
        x = keras.layers.Conv2D(filters, 1, padding="same", name=f"pw{number}")(x)
        x = keras.layers.ReLU(6.0, name=f"pw{number}_relu")(x)
    return x


def build_faceres_deep(weights: Weights, size: int = TEACHER_SIZE) -> keras.Model:
    """faceres-deep (HSE_FaceRec_tf, A. Savchenko; MIT) with the given weights.

    Args:
        weights: by layer, `<layer>/kernel` and `<layer>/bias`, as `model.training.teacher_weights` reads them.
        size: side of the input, pixels.

    Returns:
        A model from RGB [n, size, size, 3], uint8 or float32, 0..255, to a dictionary: `age` [n, 100] probabilities,
        `gender` [n, 1] probability of male, `embedding` [n, 1024].
    """
    import keras

    inputs = keras.Input((size, size, 3), name="rgb")
    embedding = keras.layers.GlobalAveragePooling2D(name="embedding")(trunk(inputs))
    features = keras.layers.Dense(256, activation="relu", name="feats")(embedding)
    age = keras.layers.Dense(TEACHER_BINS, activation="softmax", name="age")(features)
    gender = keras.layers.Dense(1, activation="sigmoid", name="gender")(features)
    outputs = {"age": age, "gender": gender, "embedding": embedding}
    model = keras.Model(inputs, outputs, name="faceres-deep")
    fill(model, weights)
    return model


def fill(model: keras.Model, weights: Weights) -> None:
    """Put the arrays `<layer>/kernel` and `<layer>/bias` into every layer that has weights.

    Raises:
        FatalError: an array is missing, left over or of another shape.
    """
    unused = set(weights)
    for layer in model.layers:
        if not layer.weights:
            continue
        names = [f"{layer.name}/kernel", f"{layer.name}/bias"][: len(layer.weights)]
        missing = [name for name in names if name not in weights]
        if missing:
            raise FatalError(f"weights of {model.name} hold no array {missing[0]!r}: they are another network's")
        arrays = [np.asarray(weights[name], dtype=np.float32) for name in names]
        shapes = [(array.shape, tuple(variable.shape)) for array, variable in zip(arrays, layer.weights, strict=True)]
        if any(have != wanted for have, wanted in shapes):
            raise FatalError(f"weights of {model.name}: layer {layer.name} wants {shapes[0][1]}, has {shapes[0][0]}")
        layer.set_weights(arrays)
        unused -= set(names)
    if unused:
        raise FatalError(f"weights of {model.name} hold arrays no layer takes: {', '.join(sorted(unused)[:3])}")
