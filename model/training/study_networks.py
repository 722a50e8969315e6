"""The networks that the study of architectures compares: one trunk for all answers, a trunk each, a published trunk.

All see RGB chips of `SIDE` pixels, answer by name as `model.two_scale` does, and are made of Keras 3 layers alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from model.network import CYDRAL_SIZE, Weights, cydral_kernels, cydral_trunk
from model.two_scale import AGES, HEADS

if TYPE_CHECKING:
    import keras

SIDE: Final = CYDRAL_SIZE
"""Side of the chips, pixels."""

STAGES: Final = (32, 64, 128, 256)
"""Filters of the trunk's stages at width 1; each halves the picture."""

NAMES: Final = ("age", *HEADS)


def shared(width: float) -> keras.Model:
    """One trunk, three heads."""
    import keras

    inputs = keras.Input((SIDE, SIDE, 3), name="rgb")
    features = _trunk(inputs, width, "trunk")
    return keras.Model(inputs, {name: _head(features, name) for name in NAMES}, name=f"shared-{width:g}")


def separate(width: float) -> keras.Model:
    """A trunk for each head. A third of the filters' square makes it as much work as one trunk of that width."""
    import keras

    inputs = keras.Input((SIDE, SIDE, 3), name="rgb")
    own = width / len(NAMES) ** 0.5
    outputs = {name: _head(_trunk(inputs, own, name), name) for name in NAMES}
    return keras.Model(inputs, outputs, name=f"separate-{width:g}")


def transferred(weights: Weights) -> keras.Model:
    """`cydral`'s trunk as published, all of which goes on learning, and three new heads."""
    import keras

    inputs = keras.Input((SIDE, SIDE, 3), name="rgb")
    features, convolutions = cydral_trunk(inputs, prefix="trunk_")
    model = keras.Model(inputs, {name: _head(features, name) for name in NAMES}, name="transferred")
    for layer, values in zip(convolutions, cydral_kernels(weights), strict=True):
        layer.set_weights(list(values))
    return model


def _trunk(rgb: Any, width: float, name: str) -> Any:
    """Stages of two 3 x 3 convolutions with batch normalisation, then the mean over the picture."""
    import keras

    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name=f"{name}_normalise")(rgb)
    for stage, filters in enumerate(STAGES, start=1):
        for part, strides in (("a", 2), ("b", 1)):
            own = f"{name}_{stage}{part}"
            x = keras.layers.Conv2D(
                max(8, round(filters * width)), 3, strides=strides, padding="same", use_bias=False, name=own
            )(x)
            x = keras.layers.BatchNormalization(name=f"{own}_norm")(x)
            x = keras.layers.ReLU(name=f"{own}_relu")(x)
    return keras.layers.GlobalAveragePooling2D(name=f"{name}_pool")(x)


def _head(features: Any, name: str) -> Any:
    import keras

    size = AGES if name == "age" else HEADS[name]
    dropped = keras.layers.Dropout(0.3, name=f"{name}_dropout")(features)
    activation = "sigmoid" if size == 1 else "softmax"
    return keras.layers.Dense(size, activation=activation, name=name, dtype="float32")(dropped)
