"""Brings the weights of one preset into a folder at image build, and checks what lies there: nothing else may.

    python docker/weights.py fetch FOLDER PRESET
    python docker/weights.py check FOLDER PRESET

Guarantee: afterwards FOLDER/weights holds exactly the files serving reads for this preset, each with its listed sha256.
"""

import sys
from pathlib import Path

from model.manifest import load_preset
from model.weights import entry_of, fetch, path_of, weights_folder

DETECTOR = "yunet"


def names(preset: str) -> tuple[str, str]:
    """The detector's weights and the preset's."""
    return DETECTOR, load_preset(preset).weights.name


def check(folder: Path, preset: str) -> list[str]:
    """File names that serving reads, all sound.

    Raises:
        FatalError: one is missing or has another sha256.
        SystemExit: something else lies beside them.
    """
    served = {path_of(name, folder).name for name in names(preset)}
    strays = {path.name for path in weights_folder(folder).iterdir()} - served
    if strays:
        sys.exit(f"{weights_folder(folder)} holds more than the named weights: {', '.join(sorted(strays))}")
    return sorted(served)


def main(command: str, folder: Path, preset: str) -> None:
    """Fetch or check, and say what is there."""
    if command == "fetch":
        fetch(folder, names(preset))
        for name in names(preset):
            entry = entry_of(name)
            if entry.published != entry.served:  # the form it was published in is only a step on the way
                (weights_folder(folder) / entry.published).unlink(missing_ok=True)
    sys.stdout.write("".join(f"{name}\n" for name in check(folder, preset)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
