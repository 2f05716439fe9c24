"""PyTorch itself: there or not, and on how many threads it computes."""

import os
from typing import Any

from cvserve.errors import ModelLoadError

_state = {"is_set": False}


def torch_for(name: str) -> Any:
    """The module `torch`, with its threads set.

    Args:
        name: of the model, for the sentence when it is not installed.

    Raises:
        ModelLoadError: it is not installed.
    """
    try:
        import torch
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ModelLoadError(f"'{name}' needs PyTorch; run: pip install 'cvserve[torch]'") from None
    _set_threads(torch)
    return torch


def _set_threads(torch: Any) -> None:
    """Once: as many as `OMP_NUM_THREADS` says, which is 1 in a server's workers; else PyTorch decides."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if not _state["is_set"] and wanted.isdigit() and int(wanted) > 0:
        torch.set_num_threads(int(wanted))
        _state["is_set"] = True
