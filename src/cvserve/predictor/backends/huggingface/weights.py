"""The weights of a Hugging Face folder in the class that it names: every one of them, or none."""

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

from cvserve.predictor.backends.huggingface.architecture import Architecture
from cvserve.predictor.backends.huggingface.layer_counts import bounded_modules
from cvserve.predictor.backends.torch.checkpoint import read_checkpoint
from cvserve.predictor.backends.torch.state import COUNTER, describe_differences
from cvserve.predictor.models.fault import ModelFault, about
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.files.folder import TORCH_WEIGHTS, ModelFolder
from cvserve.predictor.models.formats.kinds import SAFETENSORS, UNKNOWN, kind_of

# So much may be missing that its names are told; what is larger is not made.
_TIMES_LARGER, _MIN_NUMBERS = 2, 10_000_000
# Left over from other uses of a network, and from older versions of transformers: no answer depends on them.
_LEFT_OVER = ("position_ids", "relative_position_index", COUNTER, "mask_token")


def make_module(torch: Any, architecture: Architecture, folder: ModelFolder) -> Any:
    """The network with its weights, in evaluation mode, float32.

    Args:
        torch: the library.
        architecture: that `config.json` chooses.
        folder: with the weights.

    Raises:
        ModelFault: the weights are damaged, or of another network than `config.json` says.
    """
    state = read_weights(torch, folder)
    name = architecture.model_class.__name__
    check_numbers(torch, name, lambda: architecture.model_class(architecture.config), state)
    try:
        module, said = architecture.model_class.from_pretrained(
            None,  # no name: nothing is looked for
            config=architecture.config,
            state_dict=state,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # they are in what it says
            output_loading_info=True,
            local_files_only=True,
        )
    except Exception as error:  # whatever a network raises that its configuration does not fit
        raise _misfit(name, f"it raises {type(error).__name__}") from None
    differences = _describe_differences(said)
    if differences:
        raise _misfit(name, differences)
    return module.eval()


def read_weights(torch: Any, folder: ModelFolder) -> dict[str, Any]:
    """All tensors of all files of weights, each floating one as float32.

    Raises:
        ModelLoadError: one of them is damaged, or holds other things.
    """
    state: dict[str, Any] = {}
    for name, data in folder.files.items():
        is_safe = name.endswith(SAFETENSORS.suffixes)
        if not is_safe and name != TORCH_WEIGHTS:
            continue
        kind = SAFETENSORS if is_safe else kind_of(data) or UNKNOWN
        file = ModelFile(folder.path / name, data, folder.sha256, kind, folder.owner, folder.mode)
        with about(file):
            found = read_checkpoint(torch, file)
            if not isinstance(found, Mapping) or not all(isinstance(value, torch.Tensor) for value in found.values()):
                raise ModelFault("holds other things than the weights of a network; save them by save_pretrained.")
        state |= found
    return {key: value.to(torch.float32) if value.is_floating_point() else value for key, value in state.items()}


def check_numbers(torch: Any, name: str, make: Callable[[], Any], state: Mapping[str, Any]) -> None:
    """Before memory is taken: a network is not much larger than its weights.

    Args:
        torch: the library.
        name: of the class.
        make: of the network.
        state: the weights.

    Raises:
        ModelFault: it is, or cannot be made.
    """
    with torch.device("meta"), bounded_modules(torch, name, len(state)):
        try:
            empty = make()
        except ModelFault:  # a sentence already
            raise
        except Exception as error:  # whatever a network raises that its configuration does not fit
            raise _misfit(name, f"it raises {type(error).__name__}") from None
    needs = sum(numbers.numel() for numbers in chain(empty.parameters(), empty.buffers()))
    has = sum(weight.numel() for weight in state.values())
    if needs > _TIMES_LARGER * has + _MIN_NUMBERS:
        raise _misfit(name, f"it needs {needs:,} numbers, and there are {has:,}")


def _describe_differences(said: Mapping[str, Any]) -> str:
    """By what transformers says of loading them."""
    unexpected = [key for key in said["unexpected_keys"] if not key.endswith(_LEFT_OVER) and ".pooler." not in key]
    other = [entry[0] for entry in said["mismatched_keys"]]
    return describe_differences(sorted(said["missing_keys"]), sorted(unexpected), sorted(other))


def _misfit(name: str, why: str) -> ModelFault:
    return ModelFault(
        f"has other weights than those of {name} in its config.json: {why}; take both files of one model, as they were "
        "saved together."
    )
