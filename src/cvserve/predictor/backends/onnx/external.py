"""Weights of a graph that stand in other files of its folder, as `torch.onnx.export` writes them by default.

They are brought into the graph, so that ONNX Runtime gets the bytes that were hashed and opens no file: a path in a
stranger's graph would otherwise be opened wherever the server happens to run, and could be swapped in between.
"""

import errno
import hashlib
import math
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from cvserve.files import LeadsOut, describe_read_error, read_inside, refuse_open_to_all
from cvserve.predictor.backends.onnx.library import onnx
from cvserve.predictor.models.fault import ModelFault
from cvserve.texts import escape_unprintable

# Protobuf cannot write a message of 2 GiB; names and sizes come on top of the values.
_MAX_BYTES = 2 * 1024**3 - 16 * 1024**2
_MAX_FILES = 1000


def embed_external_data(model: Any, path: Path) -> tuple[tuple[str, str], ...]:
    """Bring weights in other files into the graph.

    Args:
        model: `ModelProto`, changed in place.
        path: of its file; the others must be in its folder.

    Returns:
        The name of each file that was read, as the graph calls it and without `./`, with the SHA-256 of its bytes.

    Raises:
        ModelFault: a file is missing, cannot be read, leads out of the folder, is too large or shorter than the graph
            says, or a place in it cannot be one.
        Unsafe: everybody may write to one.
    """
    tensors: dict[str, list[Any]] = {}
    for tensor in _tensors(model):
        if tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensors.setdefault(_location(tensor), []).append(tensor)
    if len(tensors) > _MAX_FILES:
        raise ModelFault(f"keeps its weights in {len(tensors):,} files; at most {_MAX_FILES:,} are read.")
    parts, left, unread = [], _MAX_BYTES - model.ByteSize(), _MAX_BYTES
    for name in sorted(tensors):
        data = _read(path.parent, name, min(left, unread))
        # Many names may be links to one file, of which little is used.
        unread -= len(data)
        parts.append((name, hashlib.sha256(data).hexdigest()))
        places = [_place(tensor, name, len(data)) for tensor in tensors[name]]
        # Many tensors may be in one place: a small file would then become a large graph.
        left -= sum(size for _, size in places)
        if left < 0:
            raise _too_large()
        for tensor, (start, size) in zip(tensors[name], places, strict=True):
            tensor.raw_data = data[start : start + size]
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
    return tuple(parts)


def _tensors(message: Any) -> Iterator[Any]:
    """Every tensor, wherever it is: weights, constants in operators, inner graphs, functions."""
    todo = [message]
    while todo:
        item = todo.pop()
        if isinstance(item, onnx.TensorProto):
            yield item
            continue
        for field, value in item.ListFields():
            if field.message_type is not None:
                todo.extend([value] if hasattr(value, "ListFields") else value)


def _entries(tensor: Any) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _location(tensor: Any) -> str:
    """The name of a tensor's file, in one spelling of many, which is one in the folder of the graph or below."""
    name = _entries(tensor).get("location", "")
    path = PurePosixPath(name)
    if not path.name or path.is_absolute() or ".." in path.parts or "\\" in name or PureWindowsPath(name).drive:
        raise ModelFault(
            f"keeps weights in {_shown(name)}, which is no file in its folder, and is not read; export it again "
            "with its weights beside it, or with external_data=False (PyTorch)."
        )
    return str(path)


def _place(tensor: Any, name: str, available: int) -> tuple[int, int]:
    """Where the values of a tensor begin in its file, and how many bytes they are."""
    said = _entries(tensor)
    start, size = (_number(tensor, key, said.get(key)) for key in ("offset", "length"))
    start = start or 0
    size = _size_bytes(tensor) if size is None else size
    if start + size > available:
        raise ModelFault(
            f"wants {size:,} bytes from place {start:,} of {_shown(name)}, which has {available:,}: that file is cut "
            "off or of another model; copy it again."
        )
    return start, size


def _number(tensor: Any, key: str, text: str | None) -> int | None:
    if text is None:
        return None
    # `isdecimal` alone is also true for digits of other scripts, and Python takes numbers of any length.
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise ModelFault(
            f"says {key} = {_shown(text)} for the weights {_shown(tensor.name)}, which is no number of bytes; save it "
            "again."
        )
    return int(text)


def _size_bytes(tensor: Any) -> int:
    """Bytes of a tensor's values by its shape and type, for a graph that does not say them."""
    try:
        item_bytes: int = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except (KeyError, TypeError):
        raise ModelFault(f"has weights {_shown(tensor.name)} of an unknown type; save it again.") from None
    return math.prod(max(0, int(side)) for side in tensor.dims) * item_bytes


def _read(folder: Path, name: str, max_bytes: int) -> bytes:
    try:
        data, status = read_inside(folder, name, max_bytes)
    except FileNotFoundError:
        raise ModelFault(
            f"keeps its weights in {_shown(name)}, and there is no such file beside it; copy that file as well, under "
            "that name."
        ) from None
    except LeadsOut:
        raise ModelFault(
            f"keeps its weights in {_shown(name)}, which is a link out of its folder; put the file itself in its place "
            "(Hugging Face: hf download … --local-dir DIR)."
        ) from None
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) == errno.ELOOP:
            raise ModelFault(f"keeps its weights in {_shown(name)}, which was replaced while it was read.") from None
        raise ModelFault(
            f"keeps its weights in {_shown(name)}, which cannot be read: {describe_read_error(error)}."
        ) from None
    if not stat.S_ISREG(status.st_mode):
        raise ModelFault(f"keeps its weights in {_shown(name)}, which is a folder, a pipe or a device, not a file.")
    refuse_open_to_all(status, f"the weights {_shown(name)}", folder / name)
    if status.st_size > max_bytes or len(data) > max_bytes:
        raise _too_large()
    return data


def _too_large() -> ModelFault:
    return ModelFault(
        f"has weights of more than {_MAX_BYTES:,} bytes in other files, which is the most that is read; save it in "
        "half precision."
    )


def _shown(name: str) -> str:
    text = escape_unprintable(name)
    return f"'{text if len(text) <= 100 else text[:100] + '…'}'"
