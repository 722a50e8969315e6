"""Fixtures of test folders that let the session's processor fail on purpose, without starting another one.

Used by name: a conftest imports what it needs.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kafka.faulty_processor import Faults
from tests.services import Service

FAULTY = Path(__file__).parent / "kafka" / "faulty_processor.py"


@pytest.fixture(scope="session")
def fault_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What goes wrong in the session's processor: nothing, until a test says so."""
    file = tmp_path_factory.mktemp("faults") / "faults.json"
    Faults().write(file)
    return file


@pytest.fixture(scope="session")
def _processor(
    environment: dict[str, str],
    free_port: Callable[[], int],
    tmp_path_factory: pytest.TempPathFactory,
    fault_file: Path,
) -> Iterator[Service]:
    """The real processor, in which tests may let the model fail without starting another one."""
    log = tmp_path_factory.mktemp("processor") / "processor.log"
    service = Service([sys.executable, str(FAULTY), str(fault_file)], environment, free_port(), log)
    yield service
    if service.running:
        service.stop()


@pytest.fixture
def fault(fault_file: Path) -> Iterator[Callable[..., None]]:
    """`fault(slow_ms=..., bytes=..., ...)`, see `Faults`: from now on this goes wrong, until the test ends."""
    yield lambda **wanted: Faults(**wanted).write(fault_file)
    Faults().write(fault_file)
