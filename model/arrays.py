"""Named arrays on disk: what a network's weights become, so that serving reads no ONNX and no pickle.

A file is a NumPy .npz holding the arrays by name and, under `source_sha256`, the digest of the file they came from.
"""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from contracts.errors import FatalError

Arrays = Mapping[str, npt.NDArray[Any]]

SOURCE_KEY: Final = "source_sha256"


def convert_onnx(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The initializers of an ONNX graph by name, as they are. Needs the extra `weights`.

    Raises:
        FatalError: the package onnx is not installed.
    """
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise FatalError(f"{path.name} needs the package onnx to be converted: install mairror[weights]") from error

    graph = onnx.load(path).graph
    return {tensor.name: np.array(numpy_helper.to_array(tensor)) for tensor in graph.initializer}


def save_arrays(arrays: Arrays, source_sha256: str) -> bytes:
    """The bytes of the .npz file."""
    buffer = io.BytesIO()
    named: dict[str, Any] = {**arrays, SOURCE_KEY: np.array(source_sha256)}
    np.savez(buffer, **named)
    return buffer.getvalue()


def load_arrays(path: Path) -> tuple[dict[str, npt.NDArray[Any]], str]:
    """(arrays by name, sha256 of the file they came from). Pickled objects are refused.

    Raises:
        ValueError, KeyError, OSError, zipfile.BadZipFile: not such a file.
    """
    # Opened here: np.load leaves its own file open when the content is damaged.
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return arrays, str(arrays.pop(SOURCE_KEY))


def arrays_digest(arrays: Arrays) -> str:
    """sha256 over names, types, shapes and bytes in order of name, whatever the file around them looks like."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
