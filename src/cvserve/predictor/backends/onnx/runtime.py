"""ONNX Runtime as cvserve runs it: on one thread of the CPU or on a device, silent, and reporting to nobody."""

import os
from typing import Any

from cvserve.devices import CPU
from cvserve.predictor.backends.onnx.providers import Provider, choose_provider, preload
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.library import import_library
from cvserve.predictor.source import ModelSource

# Official builds report to their maker over HTTPS, from a thread that the import starts. Nothing leaves a server
# that nobody sent away, and with a second thread no worker could be forked. It is read when the library loads.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

onnxruntime = import_library("onnxruntime", "onnx")

VERSION: str = onnxruntime.__version__
# The library logs nothing: its texts name files of its own sources, and our errors describe what went wrong.
_FATAL = 4
# A provider that does not load says so here and not in its session's log.
onnxruntime.set_default_logger_severity(_FATAL)


def find_provider(source: ModelSource) -> Provider:
    """The provider that a source asks for; raises what `choose_provider` raises."""
    provider = choose_provider(onnxruntime, source)
    preload(onnxruntime, provider)
    return provider


def open_session(model: bytes, provider: Provider | None = None) -> Any:
    """A session of a model; what its graph wants of memory and kernels is checked here.

    Args:
        model: serialised `ModelProto`, with all its data.
        provider: where it computes; None: on the CPU.

    Raises:
        ModelFault: a device does not take it.
        Exception: of ONNX Runtime's own kinds, when it cannot run the model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = compute_threads()
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _FATAL
    provider = provider or Provider()
    if provider.device != CPU:  # so that `check_loaded` can tell how much of the graph came there
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    try:
        # A second try after a failure would print to stdout.
        return onnxruntime.InferenceSession(model, options, providers=list(provider.names), enable_fallback=False)
    except Exception:
        if provider.device == CPU:
            raise
    open_session(model)  # damaged or too new: the device has no part in that
    raise ModelFault(
        f"cannot be run on {provider.device}: {provider.name} does not take it, or its memory is full; use --device cpu"
    )


def compute_threads() -> int:
    """Threads of one session: what `OMP_NUM_THREADS` says, else 1. The server runs one session a core already."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() and int(said) > 0 else 1


def make_run_options() -> Any:
    """Options of runs; once `terminate` is set in them, each run that has them ends with an error."""
    options = onnxruntime.RunOptions()
    options.log_severity_level = _FATAL
    return options
