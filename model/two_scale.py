"""The network of `mairror-age-1`: one chip looked at by two trunks, at two scales, and one head over both.

The fine trunk is MobileNet-v1 at the chip's own resolution (skin, hair), the coarse one dlib's ResNet-10 at 64 pixels
(the shape of the face), each initialised from its published weights. Keras 3 layers and `keras.ops` only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from model.mobilenet import Weights, fill, trunk
from model.network import CYDRAL_SIZE, cydral_trunk

if TYPE_CHECKING:
    import keras

SIZE: Final = 224
"""Side of the chip, pixels."""

PADDING: Final = 0.45
"""dlib's padding of the chip. faceres-deep's errors on 1,211 training faces by padding, balanced over decades: 0.2 9.7,
0.3167 8.6, 0.45 8.0, 0.6 8.0 (docs/training.md)."""

COARSE_PADDING: Final = 0.2
"""The coarse trunk sees what `cydral` sees: its middle."""

AGES: Final = 101
"""Age bins 0 to 100, one a year."""

FEATURES: Final = 1024 + 256
"""Features of both trunks, the fine one's first."""

HIDDEN: Final = 512
"""Units between the features and the ages."""

HEAD_HIDDEN: Final = 64
"""Units between the features and the other outputs."""

DROPOUT: Final = 0.3
"""While training only."""

HEADS: Final = {"gender": 1, "ethnicity": 5}
"""Optional outputs and their sizes: probability of male, probabilities in `model.faces.ETHNICITIES`."""


def shrink_matrix(size: int, padding: float, small: int, small_padding: float) -> npt.NDArray[np.float32]:
    """[small, size]: samples a chip of `size` and `padding` as the smaller one of `small` and `small_padding`.

    A triangle as wide as two small pixels (antialiased linear interpolation); rows sum to one.
    """
    step = (1 + 2 * small_padding) / (small - 1) * (size - 1) / (1 + 2 * padding)
    first = (padding - small_padding) * (size - 1) / (1 + 2 * padding)
    centres = first + step * np.arange(small)
    distance = np.abs(centres[:, None] - np.arange(size)[None]) / max(step, 1.0)
    weights = np.maximum(1.0 - distance, 0.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def shrunk(rgb: Any, size: int, padding: float) -> Any:
    """The coarse trunk's input [n, 64, 64, 3] from the chip."""
    from keras import ops

    matrix = shrink_matrix(size, padding, CYDRAL_SIZE, COARSE_PADDING)
    rows = ops.einsum("sh,nhwc->nswc", ops.cast(matrix, rgb.dtype), rgb)
    return ops.einsum("tw,nswc->nstc", ops.cast(matrix, rgb.dtype), rows)


def head_outputs(features: Any, heads: Sequence[str]) -> dict[str, Any]:
    """The outputs by name from features [n, any]. Outputs are float32, also where the trunks compute in less."""
    import keras

    outputs = {}
    for head in heads:
        hidden = keras.layers.Dense(HIDDEN if head == "age" else HEAD_HIDDEN, activation="relu", name=f"{head}_hidden")
        dropped = keras.layers.Dropout(DROPOUT, name=f"{head}_dropout")(hidden(features))
        size = AGES if head == "age" else HEADS[head]
        activation = "sigmoid" if size == 1 else "softmax"
        outputs[head] = keras.layers.Dense(size, activation=activation, name=head, dtype="float32")(dropped)
    return outputs


def build_two_scale(weights: Weights | None, heads: Sequence[str] = ("age",), size: int = SIZE) -> keras.Model:
    """The whole network.

    Args:
        weights: `<layer>/kernel` and `<layer>/bias`, those of heads not asked for may be there; None leaves the random
            initialisation.
        heads: outputs wanted, of `age` and `HEADS`.
        size: side of the chip, pixels; another one than `SIZE` is for tests.

    Returns:
        A model from RGB [n, size, size, 3], uint8 or float32, 0..255, to probabilities [n, 101] when `heads` is only
        the age, else to a dictionary of outputs by name.
    """
    import keras

    inputs = keras.Input((size, size, 3), name="rgb")
    pixels = keras.layers.Rescaling(1.0, name="pixels")(inputs)
    fine = keras.layers.GlobalAveragePooling2D(name="embedding")(trunk(pixels))
    coarse, _ = cydral_trunk(shrunk(pixels, size, PADDING), prefix="coarse_")
    outputs = head_outputs(keras.layers.Concatenate(name="both")([fine, coarse]), heads)
    model = keras.Model(inputs, outputs["age"] if list(heads) == ["age"] else outputs, name="mairror-age")
    if weights is not None:
        fill(model, of_heads(weights, heads))
    return model


def of_heads(weights: Weights, heads: Sequence[str]) -> Weights:
    """The arrays without those of the heads not asked for."""
    left_out = {name for head in HEADS if head not in heads for name in (head, f"{head}_hidden")}
    return {name: array for name, array in weights.items() if name.split("/")[0] not in left_out}


def in_one_row(network: Any, heads: Sequence[str]) -> keras.Model:
    """The network with its dictionary of outputs side by side: ages [n, 101], then the heads in the given order."""
    import keras

    rows = [network.get_layer(name).output for name in ("age", *heads)]
    return keras.Model(network.input, keras.layers.Concatenate(name="answers")(rows), name=network.name)
