"""Writes what training leaves behind: the weights in half precision, as serving reads them, and a report.

`model.arrays` reads the file: arrays by `<layer>/<kernel or bias>`, and the digest of the configuration as its source.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.arrays import arrays_digest, save_arrays

Arrays = dict[str, npt.NDArray[Any]]


def network_arrays(network: Any) -> Arrays:
    """Every layer's arrays in half precision, by the names `model.mobilenet.fill` takes."""
    arrays: Arrays = {}
    for layer in network.layers:
        for name, array in zip(("kernel", "bias"), layer.get_weights(), strict=False):
            arrays[f"{layer.name}/{name}"] = np.asarray(array, dtype=np.float16)
    return arrays


def export(network: Any, folder: Path, name: str, config_sha256: str, report: dict[str, Any]) -> Path:
    """Write `<name>.npz` and `report.json` into the run's folder; the report names the weights' digests and size."""
    arrays = network_arrays(network)
    data = save_arrays(arrays, config_sha256)
    path = folder / f"{name}.npz"
    path.write_bytes(data)
    told = {
        "weights": path.name,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "arrays_sha256": arrays_digest(arrays),
        "config_sha256": config_sha256,
        **report,
    }
    (folder / "report.json").write_text(json.dumps(told, indent=1) + "\n")
    return path
