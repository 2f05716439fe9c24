"""The library transformers, as cvserve uses it: silent, and without a connection to anywhere."""

import importlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cvserve.predictor.backends.downloads import refuse_downloads
from cvserve.predictor.backends.torch.library import import_torch
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.library import import_library

_EXTRA = "hf"


def import_transformers() -> Any:
    """The library, and PyTorch with it.

    Raises:
        ModelFault: one of the two is not installed.
    """
    import_torch(_EXTRA)
    return import_library("transformers", _EXTRA)


def take_class(transformers: Any, name: str) -> Any:
    """A class of transformers, which reads its module now.

    Raises:
        ModelFault: what is installed beside transformers does not fit it.
    """
    try:
        return getattr(transformers, name)
    except Exception:  # whatever the modules raise that it imports, or transformers about them
        raise ModelFault(
            f"needs {name} of transformers, which cannot be imported here; look at what this says: "
            f'python -c "from transformers import {name}" (often torchvision was made for another PyTorch).'
        ) from None


@contextmanager
def closed_library(transformers: Any) -> Iterator[None]:
    """Transformers without its words, progress bars and connections; afterwards as it was.

    Nothing in here asks for anything from the hub. This is for what a later version of transformers may do.

    Raises:
        ModelFault: something was to be fetched.
    """
    constants: Any = importlib.import_module("huggingface_hub.constants")
    words = transformers.utils.logging
    had_bars, was_offline = words.is_progress_bar_enabled(), constants.HF_HUB_OFFLINE
    disabled = logging.root.manager.disable
    words.disable_progress_bar()
    constants.HF_HUB_OFFLINE = True
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), refuse_downloads():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        constants.HF_HUB_OFFLINE = was_offline
        if had_bars:
            words.enable_progress_bar()
