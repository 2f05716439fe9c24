"""PyTorch itself: there or not, and on how many threads it computes; and what reads files for it."""

import importlib
import os
from typing import Any

from cvserve.predictor.models.fault import ModelFault

_state = {"is_set": False}


def import_torch() -> Any:
    """The module `torch`, with its threads set.

    Raises:
        ModelFault: it is not installed.
    """
    try:
        import torch
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ModelFault("needs PyTorch; run: pip install 'cvserve[torch]'") from None
    _set_threads(torch)
    return torch


def import_part(module: str, library: str, extra: str) -> Any:
    """A module of cvserve that imports a library at its top.

    Args:
        module: its full name.
        library: what it needs.
        extra: of cvserve that brings the library.

    Raises:
        ModelFault: the library is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != library:
            raise
        raise ModelFault(f"needs {library}; run: pip install 'cvserve[{extra}]'") from None


def _set_threads(torch: Any) -> None:
    """Once: as many as `OMP_NUM_THREADS` says, which is 1 in a server's workers; else PyTorch decides."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if not _state["is_set"] and wanted.isdigit() and int(wanted) > 0:
        torch.set_num_threads(int(wanted))
        _state["is_set"] = True
