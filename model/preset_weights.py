"""Reads the weights a manifest names: fetched ones from the cache, those that come with Mairror from its folder.

Guarantee: nothing is run whose digest is not the one the manifest states.
"""

from importlib import resources
from pathlib import Path
from typing import Any

import numpy.typing as npt

from contracts.errors import FatalError
from model.arrays import load_arrays
from model.manifest import PACKAGE, PresetManifest
from model.weights import checked_path, file_digest


def preset_arrays(manifest: PresetManifest, weights_dir: Path) -> dict[str, npt.NDArray[Any]]:
    """The preset's arrays by name.

    Args:
        manifest: the preset.
        weights_dir: where fetched weights lie, `model.weights.weights_folder(cache)`.

    Raises:
        FatalError: weights missing, damaged, or not the manifest's.
    """
    if manifest.weights.file:
        return _bundled(manifest)
    arrays, source = load_arrays(checked_path(manifest.weights.name, weights_dir))
    if source != manifest.weights.sha256:
        raise FatalError(
            f"preset {manifest.name!r} was made for weights {manifest.weights.sha256}, found {source}: "
            "preset and weights list of this release do not fit"
        )
    return arrays


def _bundled(manifest: PresetManifest) -> dict[str, npt.NDArray[Any]]:
    resource = resources.files(PACKAGE).joinpath(manifest.name, manifest.weights.file)
    with resources.as_file(resource) as path:
        if not path.is_file():
            raise FatalError(f"weights of preset {manifest.name!r} are not at {path}: install Mairror again")
        found = file_digest(path)
        if found != manifest.weights.sha256:
            raise FatalError(
                f"weights of preset {manifest.name!r} at {path} have sha256 {found}, not {manifest.weights.sha256}: "
                "install Mairror again"
            )
        return load_arrays(path)[0]
