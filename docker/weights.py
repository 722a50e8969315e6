"""Brings the weights of one preset into an image at its build, and checks what is there: nothing else may.

    python docker/weights.py fetch FOLDER PRESET
    python docker/weights.py check FOLDER PRESET

Guarantee: afterwards FOLDER/weights holds exactly the files serving reads for this preset, each with its listed sha256,
and the installed package brings no other preset's weights.
"""

import sys
from importlib import resources
from pathlib import Path

from model.manifest import PACKAGE, load_preset, preset_names
from model.preset_weights import preset_arrays
from model.weights import entry_of, fetch, path_of, weights_folder

DETECTOR = "yunet"


def fetched(preset: str) -> list[str]:
    """Names of the weights that lie in the folder: the detector's, and the preset's unless they are in its package."""
    weights = load_preset(preset).weights
    return [DETECTOR] if weights.file else [DETECTOR, weights.name]


def check(folder: Path, preset: str) -> list[str]:
    """File names that serving reads, all sound.

    Raises:
        FatalError: one is missing or has another sha256.
        SystemExit: something else lies beside them.
    """
    served = {path_of(name, folder).name for name in fetched(preset)}
    preset_arrays(load_preset(preset), weights_folder(folder))
    strays = {path.name for path in weights_folder(folder).iterdir()} - served
    strays |= {f"model/presets/{name}" for name in preset_names() if name != preset and _bundled(name)}
    if strays:
        sys.exit(f"more than the named weights: {', '.join(sorted(strays))}")
    own = {f"model/presets/{preset}/{load_preset(preset).weights.file}"} if _bundled(preset) else set()
    return sorted(served | own)


def _bundled(preset: str) -> bool:
    file = load_preset(preset).weights.file
    return bool(file) and resources.files(PACKAGE).joinpath(preset, file).is_file()


def main(command: str, folder: Path, preset: str) -> None:
    """Fetch or check, and say what is there."""
    if command == "fetch":
        fetch(folder, fetched(preset))
        for entry in map(entry_of, fetched(preset)):
            if entry.published != entry.served:  # the form it was published in is only a step on the way
                (weights_folder(folder) / entry.published).unlink(missing_ok=True)
    sys.stdout.write("".join(f"{name}\n" for name in check(folder, preset)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
