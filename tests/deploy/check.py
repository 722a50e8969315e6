"""`make deploy-check`: every deployment file by its real tool. Exit status 1 when anything is wrong.

    python -m tests.deploy.check [--root FOLDER] [--without-tools]

`--without-tools` is for machines that cannot have them: it says what was not checked, and is never used in CI.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from contracts.errors import FatalError
from tests.deploy import chart, compose, dockerfile, strimzi
from tests.deploy.tools import Tools, fetch

Check = Callable[[Path, Tools], list[str]]
CHECKS: dict[str, Check] = {
    "docker": dockerfile.check,
    "compose": compose.check,
    "strimzi": strimzi.check,
    "chart": chart.check,
}
ROOT = Path(__file__).parents[2]


def main(arguments: list[str]) -> int:
    """0 when nothing is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.deploy.check", description="Check all deployment files.")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to look at")
    parser.add_argument("--without-tools", action="store_true", help="say what cannot be checked, and end with 0")
    parser.add_argument("only", nargs="*", help=f"of {', '.join(CHECKS)}; all when none is named")
    options = parser.parse_args(arguments)
    try:
        tools = fetch()
    except FatalError as error:
        print(f"NOT CHECKED: {', '.join(options.only or CHECKS)}: {error}", file=sys.stderr)
        return 0 if options.without_tools else 1
    return 1 if sum(_one(name, options.root.resolve(), tools) for name in options.only or CHECKS) else 0


def _one(name: str, root: Path, tools: Tools) -> int:
    began = time.monotonic()
    found = CHECKS[name](root, tools)
    for problem in found:
        print(f"{name}: {problem}", file=sys.stderr)
    print(
        f"{name}: {len(found) or 'no'} problem{'s' * (len(found) != 1)} ({time.monotonic() - began:.1f} s)", flush=True
    )
    return len(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
