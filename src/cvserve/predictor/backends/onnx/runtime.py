"""ONNX Runtime as cvserve runs it: on the CPU, on one thread, silent, and reporting to nobody."""

import os
from typing import Any

from cvserve.predictor.models.fault import ModelFault

# Official builds report to their maker over HTTPS, from a thread that the import starts. Nothing leaves a server
# that nobody sent away, and with a second thread no worker could be forked. It is read when the library loads.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

try:
    import onnxruntime
except ImportError:
    raise ModelFault("needs ONNX Runtime, which cannot be imported here; run: pip install 'cvserve[onnx]'") from None

VERSION: str = onnxruntime.__version__
# The library logs nothing: its texts name files of its own sources, and our errors describe what went wrong.
_FATAL = 4


def open_session(model: bytes) -> Any:
    """A session of a model; what its graph wants of memory and kernels is checked here.

    Args:
        model: serialised `ModelProto`, with all its data.

    Raises:
        Exception: of ONNX Runtime's own kinds, when it cannot run the model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = compute_threads()
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _FATAL
    # A second try after a failure would print to stdout.
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"], enable_fallback=False)


def compute_threads() -> int:
    """Threads of one session: what `OMP_NUM_THREADS` says, else 1. The server runs one session a core already."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() and int(said) > 0 else 1


def make_run_options() -> Any:
    """Options of runs; once `terminate` is set in them, each run that has them ends with an error."""
    options = onnxruntime.RunOptions()
    options.log_severity_level = _FATAL
    return options
