"""Prepares the numerical backend of Keras before it starts: threads, GPU memory, and quiet.

Importing this module loads nothing. `configure_backend` must run before anything else imports Keras or TensorFlow.
"""

import contextlib
import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from contracts.errors import FatalError

Predict = Callable[[Any], Any]

_NATIVE_NOISE: Final = r"WARNING: All log messages before absl::InitializeLog|[IW]\d{4} \d\d:\d\d:"
"""TensorFlow's native log lines below errors, and the line that announces the first of them."""

_NO_GPU: Final = r"|E\d{4} .*failed call to cuInit"
"""What TensorFlow calls an error on a machine that simply has no NVIDIA device; where there is one, it is one."""

_FILTER: Final = """
import re, sys
for line in sys.stdin.buffer:
    if not re.match(sys.argv[1].encode(), line):
        sys.stdout.buffer.write(line)
        sys.stdout.flush()
"""


def configure_backend(threads: int) -> str:
    """Start the Keras backend (environment variable `KERAS_BACKEND`, else Keras's own configuration: TensorFlow).

    Args:
        threads: threads one model run may use, >= 1. One run at a time is expected, so there is no second pool.

    Returns:
        The backend's name.

    Raises:
        FatalError: TensorFlow already runs with other thread settings.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2")
    with native_noise_dropped():
        import keras

        name = str(keras.backend.backend())
        if name == "tensorflow":
            _configure_tensorflow(threads)
        elif name == "torch":
            importlib.import_module("torch").set_num_threads(threads)
    return name


def _configure_tensorflow(threads: int) -> None:
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError as error:
        if tf.config.threading.get_intra_op_parallelism_threads() != threads:
            raise FatalError(
                f"TensorFlow already runs, {threads} threads cannot be set: call configure_backend first"
            ) from error


def compile_predict(model: Any, batches: Sequence[int], size: int) -> dict[int, Predict]:
    """The fastest ways to run `model` on uint8 [batch, size, size, 3] on this backend.

    On TensorFlow, where there is no GPU, a function of one fixed input signature for each batch size, compiled by XLA
    (measured: up to a third faster than the plain graph at batches of 1 to 4, equal at 16), but for networks with
    depthwise convolutions: XLA takes twenty times as long for those on a processor. Those share one plain graph for all
    sizes, which is as fast as one for each and is traced once. Elsewhere Keras's own `predict_on_batch`.

    Returns:
        By batch size a function from the NumPy array to a NumPy array float32 [batch, bins].
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return dict.fromkeys(batches, lambda chips: keras.ops.convert_to_numpy(model.predict_on_batch(chips)))
    import tensorflow as tf

    depthwise = any(isinstance(layer, keras.layers.DepthwiseConv2D) for layer in model.layers)
    if depthwise or tf.config.list_physical_devices("GPU"):
        return dict.fromkeys(batches, _traced(model, None, size))
    return {batch: _traced(model, batch, size) for batch in batches}


def _traced(model: Any, batch: int | None, size: int) -> Predict:
    """A graph of `batch` faces, compiled by XLA, or of any number of them (None)."""
    import tensorflow as tf

    signature = [tf.TensorSpec((batch, size, size, 3), tf.uint8)]
    compiled = batch is not None
    graph = tf.function(lambda rgb: model(rgb, training=False), input_signature=signature, jit_compile=compiled)
    graph(tf.zeros((batch or 1, size, size, 3), tf.uint8))  # traces and compiles now, not at the first face
    return lambda chips: graph(tf.constant(chips)).numpy()


@contextlib.contextmanager
def native_noise_dropped() -> Iterator[None]:
    """Keep TensorFlow's native start-up lines off the terminal; every other line written meanwhile is passed on.

    Some are written before TF_CPP_MIN_LOG_LEVEL is read, so the file descriptor itself goes through a filter. The
    filter is a process of its own: what a dying TensorFlow says last (a processor without AVX) still gets through.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    noise = _NATIVE_NOISE if Path("/dev/nvidiactl").exists() else _NATIVE_NOISE + _NO_GPU
    command = [sys.executable, "-ISc", _FILTER, noise]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=saved) as filtering:
        assert filtering.stdin is not None
        os.dup2(filtering.stdin.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
