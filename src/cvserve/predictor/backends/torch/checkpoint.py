"""What a file of weights holds, read without running anything in it: a checkpoint of PyTorch, or safetensors.

A checkpoint is a pickle. PyTorch reads it with `weights_only`: tensors, numbers, texts, lists and dictionaries, and
nothing that it would have to call. Scripts of training write a few other things beside the weights (their arguments,
a metric as a NumPy number, a path). Those that `beside_weights.py` lists are not made either: an empty stand-in takes
their place, since nothing of them is needed. Whatever is not listed is refused.
"""

import io
import pickle
import warnings
from typing import Any

from cvserve.predictor.backends.torch.archive import check_whole
from cvserve.predictor.backends.torch.tensor_sizes import check_tensor_sizes
from cvserve.predictor.models.advice.incomplete import find_pickled_classes
from cvserve.predictor.models.advice.whole_pickles import explain_foreign
from cvserve.predictor.models.code.hidden_code import find_names
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.formats.checkpoint_types import DICTIONARIES, STOOD_IN
from cvserve.predictor.models.formats.kinds import SAFETENSORS, TORCH, TORCH_EXPORT, TORCHSCRIPT
from cvserve.predictor.models.library import import_library

_TENSORS = "cvserve.predictor.backends.torch.tensors"


class StandIn:
    """Takes the place of a thing in a checkpoint that is of no use here; it keeps nothing of it."""

    def __init__(self, *_arguments: Any, **_options: Any) -> None: ...

    def __setstate__(self, _state: Any) -> None: ...


class PlainDict:
    """Takes the place of a class of dictionaries."""

    def __new__(cls, *_arguments: Any) -> Any:
        """An empty `dict`, into which PyTorch puts the items."""
        return {}


def read_checkpoint(torch: Any, file: ModelFile) -> Any:
    """What a file of weights holds.

    Args:
        torch: the library.
        file: the checkpoint, as it was read.

    Returns:
        Whatever was saved: a state dict, or a dictionary with one in it.

    Raises:
        ModelFault: no checkpoint, damaged, more in it than weights and what is on the list, or tensors that are much
            larger than the file.
    """
    if file.kind is SAFETENSORS:
        return import_library(_TENSORS, "torch").read_tensors(file)
    if file.kind in (TORCHSCRIPT, TORCH_EXPORT):
        raise ModelFault(f"is {file.kind.title}, a model with its class; serve it alone: --model {file.path}")
    if file.kind is not TORCH:
        if file.path.suffix in SAFETENSORS.suffixes:
            raise ModelFault("is damaged or cut off; save or copy it again.")
        raise ModelFault(
            f"is {file.kind.title}, not weights of PyTorch; save them with torch.save(model.state_dict(), 'best.pth')."
        )
    if file.data.startswith(b"PK"):
        check_whole(file, "torch.save")
    allowed = [*((StandIn, name) for name in STOOD_IN), *((PlainDict, name) for name in DICTIONARIES)]
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(allowed):
            warnings.simplefilter("ignore")
            loaded = torch.load(io.BytesIO(file.data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise _more_than_weights(file) from None
    except Exception:  # damaged bytes make it raise whatever they like
        damaged = ModelFault("is damaged or cut off; save or copy it again.")
        raise explain_foreign(file, find_names(file).names) or damaged from None
    check_tensor_sizes(torch, loaded, file.size)
    return loaded


def _more_than_weights(file: ModelFile) -> ModelFault:
    classes = find_pickled_classes(file)
    foreign = explain_foreign(file, find_names(file).names)
    if foreign is not None:
        return foreign
    what = f"holds more than weights ({', '.join(classes)})" if classes else "cannot be read as weights"
    return ModelFault(
        f"{what}, and nothing else is read from it; save the weights alone: "
        f"torch.save(model.state_dict(), {file.path.name!r})."
    )
