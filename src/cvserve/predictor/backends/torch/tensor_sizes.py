"""How large the tensors of a checkpoint are: a view may say any size and need no bytes in the file."""

from collections.abc import Iterator, Mapping
from typing import Any

from cvserve.predictor.models.fault import ModelFault

# Layers may share their weights, and a few views be kept beside what they show.
_TIMES_LARGER, _SPARE_BYTES = 2, 16 * 1024**2


def check_tensor_sizes(torch: Any, loaded: Any, file_bytes: int) -> None:
    """Before a tensor is copied or made whole: all of them together are not much larger than what the file holds.

    Args:
        torch: the library.
        loaded: what was saved, containers of tensors.
        file_bytes: size of the file.

    Raises:
        ModelFault: they are, as those whose rows are all the same one.
    """
    storages: dict[int, int] = {}
    says = 0
    for tensor in _list_tensors(torch, loaded):
        says += tensor.numel() * tensor.element_size()
        if tensor.layout is torch.strided and tensor.device.type == "cpu":
            storage = tensor.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    holds = min(sum(storages.values()), file_bytes)
    if says > _TIMES_LARGER * holds + _SPARE_BYTES:
        raise ModelFault(
            f"says that it has {says:,} bytes of numbers, and holds {holds:,}; save it again with whole tensors: "
            "tensor.contiguous()."
        )


def _list_tensors(torch: Any, loaded: Any) -> Iterator[Any]:
    todo, seen = [loaded], set()
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, torch.Tensor):
            yield item
        elif isinstance(item, Mapping):
            todo.extend(item.values())
        elif isinstance(item, (list, tuple)):
            todo.extend(item)
