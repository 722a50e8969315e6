"""Reads the weights of a TensorFlow.js graph model: one JSON that lists the arrays, and shards of their bytes."""

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from contracts.errors import FatalError

TYPES: Final[Mapping[str, str]] = {"float32": "<f4", "int32": "<i4", "uint8": "u1", "bool": "?"}


def read_graph_model(description: bytes, shards: bytes) -> dict[str, npt.NDArray[Any]]:
    """The arrays by name.

    Args:
        description: the model's JSON.
        shards: its weight files one after the other, in the order the JSON names them.

    Raises:
        FatalError: not such a model, or more or fewer bytes than it lists.
    """
    try:
        listed = [entry for group in json.loads(description)["weightsManifest"] for entry in group["weights"]]
    except (ValueError, KeyError, TypeError) as error:
        raise FatalError(f"not the description of a TensorFlow.js graph model: {error!r}") from error
    arrays, offset = {}, 0
    for entry in listed:
        if "quantization" in entry or entry["dtype"] not in TYPES:
            raise FatalError(f"array {entry['name']} is quantized or {entry['dtype']}: only plain arrays are read")
        kind, count = np.dtype(TYPES[entry["dtype"]]), int(np.prod(entry["shape"], dtype=np.int64))
        if offset + count * kind.itemsize > len(shards):
            raise FatalError(f"array {entry['name']} ends after the last of {len(shards)} bytes")
        arrays[entry["name"]] = np.frombuffer(shards, kind, count, offset).reshape(entry["shape"])
        offset += count * kind.itemsize
    if offset != len(shards):
        raise FatalError(f"the shards have {len(shards)} bytes, {offset} are listed")
    return arrays
