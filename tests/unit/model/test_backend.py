"""`model.backend`: nothing of TensorFlow's own chatter on the terminal, threads as asked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model.backend import native_noise_dropped

CODE = """
from pathlib import Path
import sys
from model.backend import configure_backend
assert configure_backend(1) == "tensorflow"
import tensorflow
assert tensorflow.config.threading.get_intra_op_parallelism_threads() == 1
from model.estimator import AgeEstimator
from model.manifest import load_preset
AgeEstimator(load_preset("cydral"), Path(sys.argv[1]), (1,)).warm_up()
"""


def test_a_process_that_loads_and_runs_the_model_prints_nothing(weights_dir: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    command = [sys.executable, "-c", CODE, str(weights_dir)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr == ""


def test_other_lines_written_meanwhile_arrive(capfd: pytest.CaptureFixture[str]) -> None:
    with native_noise_dropped():
        os.write(2, b"I0000 00:00:1795307607.288799    6600 port.cc:153] oneDNN custom operations are on\n")
        os.write(2, b"I have something to say\n")
        subprocess.run("echo W1234 is a word >&2", shell=True, check=True)
    assert capfd.readouterr().err == "I have something to say\nW1234 is a word\n"


def test_the_last_words_of_a_dying_process_get_through() -> None:
    code = (
        "import os\nfrom model.backend import native_noise_dropped\n"
        "with native_noise_dropped():\n    os.write(2, b'F0000 00:00:1.0 no AVX\\n')\n    os.abort()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode < 0
    assert done.stderr == "F0000 00:00:1.0 no AVX\n"
