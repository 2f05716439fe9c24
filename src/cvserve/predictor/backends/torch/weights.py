"""Weights for a PyTorch module out of a checkpoint: read without running anything in it, and only if they fit."""

import io
import pickle
import warnings
from collections.abc import Mapping
from typing import Any

from cvserve.predictor.backends.torch.archive import check_whole
from cvserve.predictor.models.fault import ModelFault, about
from cvserve.predictor.models.file import ModelFile
from cvserve.predictor.models.incomplete import find_pickled_classes
from cvserve.predictor.models.kinds import TORCH, TORCH_EXPORT, TORCHSCRIPT
from cvserve.texts import list_some, to_one_line

# What a wrapper writes before each name: DataParallel, torch.compile, Lightning
_WRAPPERS = ("module.", "_orig_mod.", "model.")
_MAX_SHOWN = 3


def load_weights(torch: Any, module: Any, file: ModelFile) -> None:
    """Put the weights of a checkpoint into a module.

    Args:
        torch: the library.
        module: a `torch.nn.Module`.
        file: the checkpoint.

    Raises:
        ModelLoadError: not a checkpoint, damaged, or more than weights.
        ModelFault: weights of another module than this one.
    """
    with about(file):
        found = _find_state_dict(torch, _read(torch, file), file.path.name)
    wanted = module.state_dict()
    state = _remove_wrappers(found, wanted)
    differences = _list_differences(state, wanted)
    if differences:
        raise ModelFault(
            f"has other weights than those in '{file.path.name}': {'; '.join(differences)}; take the class and the "
            "arguments that they were trained with."
        )
    try:
        module.load_state_dict(state, strict=False)
    except Exception as error:  # a module may load its state in its own way
        reason = to_one_line(str(error), 300)
        raise ModelFault(f"does not take the weights in '{file.path.name}': {reason}") from None


def _read(torch: Any, file: ModelFile) -> Any:
    if file.kind in (TORCHSCRIPT, TORCH_EXPORT):
        raise ModelFault(f"is {file.kind.title}, a model with its class; serve it alone: --model {file.path}")
    if file.kind is not TORCH:
        raise ModelFault(
            f"is {file.kind.title}, not weights of PyTorch; save them with torch.save(model.state_dict(), 'best.pth')."
        )
    if file.data.startswith(b"PK"):
        check_whole(file, "torch.save")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(io.BytesIO(file.data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise _more_than_weights(file) from None
    except Exception:  # damaged bytes make it raise whatever they like
        raise ModelFault("is damaged or cut off; save or copy it again.") from None


def _more_than_weights(file: ModelFile) -> ModelFault:
    classes = find_pickled_classes(file)
    what = f"holds more than weights ({', '.join(classes)})" if classes else "cannot be read as weights"
    return ModelFault(
        f"{what}, and nothing else is read from it; save the weights alone: "
        f"torch.save(model.state_dict(), {file.path.name!r})."
    )


def _find_state_dict(torch: Any, loaded: Any, name: str) -> Mapping[str, Any]:
    """The one state dict in what a checkpoint holds: itself, or the only member that is one; `name` is the file's."""

    def is_state(value: Any) -> bool:
        return (
            isinstance(value, Mapping)
            and bool(value)
            and all(isinstance(key, str) and isinstance(entry, torch.Tensor) for key, entry in value.items())
        )

    if is_state(loaded):
        state: Mapping[str, Any] = loaded
        return state
    if not isinstance(loaded, Mapping):
        raise ModelFault(
            f"holds a {type(loaded).__name__}, no state dict; save torch.save(model.state_dict(), {name!r})."
        )
    states = [str(key) for key, value in loaded.items() if is_state(value)]
    if len(states) == 1:
        only: Mapping[str, Any] = loaded[states[0]]
        return only
    has = (
        f"{len(states)} state dicts ({', '.join(states)})"
        if states
        else f"no state dict ({list_some(map(str, loaded), _MAX_SHOWN)})"
    )
    raise ModelFault(f"holds {has}; save the one to serve: torch.save(model.state_dict(), {name!r}).")


def _remove_wrappers(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without the name of a wrapper, where all weights have it and the names fit only without."""
    inner = found
    while not inner.keys() & wanted.keys():
        wrapper = next((word for word in _WRAPPERS if all(key.startswith(word) for key in inner)), None)
        if wrapper is None:
            return found
        inner = {key.removeprefix(wrapper): value for key, value in inner.items()}
    return inner


def _list_differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    # How many batches a normalisation has seen is counted since PyTorch 0.4.1, and of no use here.
    missing = [key for key in wanted if key not in found and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in found if key not in wanted]
    other = [
        f"{key} is {list(found[key].shape)} and should be {list(wanted[key].shape)}"
        for key in wanted
        if key in found and getattr(wanted[key], "shape", None) != found[key].shape
    ]
    parts = (("missing", missing), ("not known to the class", unexpected), ("of another size", other))
    return [f"{what}: {list_some(keys, _MAX_SHOWN)}" for what, keys in parts if keys]
