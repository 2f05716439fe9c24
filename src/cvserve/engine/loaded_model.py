"""The model in a worker process and in the fork server: loaded as the front ordered, described, run.

With it come NumPy, Pillow and the model's own library: a process that only makes workers does not import this.
"""

import importlib
import json
import socket
import sys
import warnings
from collections.abc import Callable
from typing import Any

from cvserve.devices import computes_beside
from cvserve.engine.worker_main import run_worker
from cvserve.predictor.images.decode import lift_pillow_limit
from cvserve.predictor.predictor import Predictor


def load_order(order: str) -> Predictor:
    """Make the predictor that an order names, and warm it up.

    Args:
        order: JSON: `load`, the import path `module:function`, and `arguments` for it.

    Raises:
        CvserveError: it cannot be loaded, or does not answer.
    """
    named = json.loads(order)
    module, _, name = named["load"].partition(":")
    load: Callable[..., Predictor] = getattr(importlib.import_module(module), name)
    lift_pillow_limit()
    warnings.showwarning = lambda message, *_, **__: print(f"cvserve: warning: {message}", file=sys.stderr)  # noqa: T201
    return load(**named["arguments"]).warm_up()


def run_order(order: str, connection: socket.socket, parent: int) -> None:
    """Load what an order names and work until the front is gone; never returns."""
    run_worker(load_order(order), connection, parent)


def describe_model(predictor: Predictor) -> dict[str, Any]:
    """What the front must know of a model, as JSON says it."""
    info = predictor.info
    return {
        "name": info.name,
        "sha256": info.sha256,
        "format": info.format,
        "device": info.device,
        "guessed": list(predictor.guessed),
    }


def survives_fork(predictor: Predictor) -> bool:
    """Whether a fork of this process could run the model, as far as threads do not forbid it.

    What a device's library has begun in one process cannot be gone on with in a fork of it: CUDA says so by an error
    at best. PyTorch may have begun it for a model that was then told to compute elsewhere.
    """
    torch = sys.modules.get("torch")
    has_begun = torch is not None and torch.cuda.is_initialized()
    return not (has_begun or computes_beside(predictor.info.device))
