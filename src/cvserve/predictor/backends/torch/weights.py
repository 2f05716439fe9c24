"""Weights for a PyTorch module out of a checkpoint: read without running anything in it, and only if they fit."""

from collections.abc import Mapping
from typing import Any

from cvserve.predictor.backends.torch.checkpoint import read_checkpoint
from cvserve.predictor.backends.torch.state import COUNTER, State, describe_differences, find_state
from cvserve.predictor.models.fault import ModelFault, about
from cvserve.predictor.models.files.file import ModelFile
from cvserve.texts import to_one_line


def read_state(torch: Any, module: Any, file: ModelFile, key: str | None, config_name: str) -> State:
    """The weights in a checkpoint that are meant for a module; whether they fit is seen by `put_weights`.

    Args:
        torch: the library.
        module: a `torch.nn.Module`.
        file: the checkpoint.
        key: where `[model] state` says that they are in it; None: it does not say.
        config_name: of the file that would say so, for sentences.

    Raises:
        ModelLoadError: not a checkpoint, damaged, more than weights, or none of its state dicts is meant.
    """
    with about(file, config_name):
        return find_state(torch, read_checkpoint(torch, file), module.state_dict(), key, file.path.name)


def put_weights(module: Any, state: State, file_name: str) -> None:
    """Put weights into a module.

    Args:
        module: a `torch.nn.Module`.
        state: the weights.
        file_name: where they came from.

    Raises:
        ModelFault: weights of another module than this one.
    """
    differences = _describe_differences(state.tensors, module.state_dict())
    if differences:
        raise ModelFault(
            f"has other weights than those in '{file_name}': {differences}; take the class and the "
            "arguments that they were trained with."
        )
    try:
        module.load_state_dict(state.tensors, strict=False)
    except Exception as error:  # a module may load its state in its own way
        reason = to_one_line(str(error), 300)
        raise ModelFault(f"does not take the weights in '{file_name}': {reason}") from None


def count_classes(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> int | None:
    """For how many classes weights were trained, where a module fits but for that number.

    All weights of another size differ in their first side only, and there by the same number: those of the last layer.

    Returns:
        None when they fit as they are, or differ in more.
    """
    both = [(found[name].shape, wanted[name].shape) for name in wanted if name in found]
    other = [(one, two) for one, two in both if one != two]
    counts = {one[0] for one, two in other if len(one) == len(two) > 0 and one[1:] == two[1:]}
    is_same = all(len(one) == len(two) > 0 and one[1:] == two[1:] for one, two in other)
    sizes = {two[0] for _, two in other if len(two) > 0}
    return counts.pop() if is_same and len(counts) == 1 and len(sizes) == 1 else None


def _describe_differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    missing = [key for key in wanted if key not in found and not key.endswith(COUNTER)]
    unexpected = [key for key in found if key not in wanted]
    other = [
        f"{key} is {list(found[key].shape)} and should be {list(wanted[key].shape)}"
        for key in wanted
        if key in found and getattr(wanted[key], "shape", None) != found[key].shape
    ]
    return describe_differences(missing, unexpected, other)
