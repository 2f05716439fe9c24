"""Tensors of a safetensors file: a table of names, types and places, and behind it raw numbers; no code is in it.

The format: https://github.com/huggingface/safetensors#format. Needs the package `safetensors`, so that this module is
imported by `import_library`, when such a file comes.
"""

from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load

from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.files.file import ModelFile


def read_tensors(file: ModelFile) -> dict[str, Any]:
    """All tensors of a file by name, on the CPU, out of the bytes that were read and hashed.

    Args:
        file: as it was read.

    Raises:
        ModelFault: its table does not fit its bytes (cut off, places that overlap, sizes that are not the type's), or
            it has a type of numbers that this PyTorch does not know.
    """
    try:
        tensors: dict[str, Any] = load(file.data)
    except KeyError as error:
        raise ModelFault(
            f"has numbers of the type {error.args[0]}, which this PyTorch does not know; save them as float32."
        ) from None
    except (SafetensorError, ValueError, RuntimeError, AssertionError, TypeError):
        raise ModelFault("is damaged or cut off: its table does not fit its bytes; save or copy it again.") from None
    if not tensors:
        raise ModelFault(
            "holds no tensors; save those of the model: safetensors.torch.save_model(model, 'best.safetensors')."
        )
    return tensors
