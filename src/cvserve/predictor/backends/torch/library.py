"""PyTorch itself: there or not, and on how many threads it computes."""

import os
from typing import Any

from cvserve.predictor.models.library import import_library

_state = {"is_set": False}


def import_torch(extra: str = "torch") -> Any:
    """The module `torch`, with its threads set.

    Args:
        extra: of cvserve that brings it, with whatever else the model needs.

    Raises:
        ModelFault: it is not installed.
    """
    torch = import_library("torch", extra)
    _set_threads(torch)
    return torch


def _set_threads(torch: Any) -> None:
    """Once: as many as `OMP_NUM_THREADS` says, which is 1 in a server's workers; else PyTorch decides."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if not _state["is_set"] and wanted.isdigit() and int(wanted) > 0:
        torch.set_num_threads(int(wanted))
        _state["is_set"] = True
