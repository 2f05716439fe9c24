"""What a pickle would import and call, read from its opcodes without running one of them.

This is for the eyes of the person who decides about trust; nothing is let through because it looks harmless.
"""

import bz2
import io
import lzma
import math
import pickletools
import re
import zlib
from typing import Any, NamedTuple

from cvserve.predictor.models.formats.kinds import compressor_of
from cvserve.texts import to_ascii

MAX_UNPACKED_BYTES = 1024**3
_MAX_DEPTH = 20
_MAX_NAME_LENGTH = 100
_ARRAY_WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
_ITEM_CODE = re.compile(r"[<>=|]?([a-zA-Z])(\d+)")
_BYTES_A_CHARACTER = 4
_MARK = object()


class PickleGlobals(NamedTuple):
    """What was found.

    Attributes:
        names: `module.name`, sorted, each once, safe to print.
        complete: False when the file could not be read to its end: there may be more.
    """

    names: tuple[str, ...]
    complete: bool


class _Global(NamedTuple):
    name: str


class _Made(NamedTuple):
    """Stands for what calling `what` with `arguments` would give."""

    what: Any
    arguments: Any


def scan_pickle(data: bytes) -> PickleGlobals:
    """Find everything that a pickle or joblib file, compressed or not, would import; none of it is run.

    Args:
        data: the whole file; nothing is too damaged or hostile.
    """
    unpacked = unpack(data)
    if unpacked is None:
        return PickleGlobals((), complete=False)
    names: set[str] = set()
    try:
        _Walk(io.BytesIO(unpacked), names).run()
    except Exception:  # a broken or hostile stream can upset a parser in any way
        return PickleGlobals(tuple(sorted(names)), complete=False)
    return PickleGlobals(tuple(sorted(names)), complete=True)


def unpack(data: bytes) -> bytes | None:
    """The pickle in a joblib file, compressed or not; None when it is damaged, too large or of another compressor."""
    compressor = compressor_of(data)
    if compressor is None:
        return data
    try:
        if compressor in ("zlib", "gzip"):
            inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
            unpacked = inflate.decompress(data, MAX_UNPACKED_BYTES)
            return unpacked if inflate.eof else None
        if compressor == "lz4":
            return None
        expand = bz2.BZ2Decompressor() if compressor == "bz2" else lzma.LZMADecompressor()
        unpacked = expand.decompress(data, max_length=MAX_UNPACKED_BYTES)
        return unpacked if expand.eof else None
    except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError, MemoryError):
        return None


class _Walk:
    """One pass over the opcodes with a stack on which things are only named, never made."""

    def __init__(self, stream: io.BytesIO, names: set[str], depth: int = 0) -> None:
        self._stream = stream
        self._names = names
        self._depth = depth
        self._stack: list[Any] = []
        self._memo: dict[Any, Any] = {}

    def run(self) -> None:
        if self._depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")
        for opcode, argument, _ in pickletools.genops(self._stream):
            special = getattr(self, f"_op_{opcode.name.lower()}", None)
            if special is not None:
                special(argument)
            elif opcode.name.endswith("PUT"):
                self._memo[argument] = self._stack[-1]
            elif opcode.name.endswith("GET"):
                self._stack.append(self._memo[argument])
            else:
                self._generic(opcode, argument)

    def _add_name(self, name: str) -> None:
        # The names are a stranger's text on its way to a terminal.
        self._names.add(to_ascii(name[:_MAX_NAME_LENGTH]))
        self._stack.append(_Global(name))

    def _op_global(self, argument: str) -> None:
        self._add_name(argument.replace(" ", ".", 1))

    def _op_inst(self, argument: str) -> None:
        self._pop_to_mark()
        self._op_global(argument)

    def _op_stack_global(self, _: None) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise ValueError("a name that is computed")
        self._add_name(f"{module}.{name}")

    def _op_ext1(self, argument: int) -> None:
        self._add_name(f"copyreg extension {argument}")

    _op_ext2 = _op_ext4 = _op_ext1

    def _op_mark(self, _: None) -> None:
        self._stack.append(_MARK)

    def _op_memoize(self, _: None) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _op_dup(self, _: None) -> None:
        self._stack.append(self._stack[-1])

    def _op_tuple(self, _: None) -> None:
        self._stack.append(tuple(self._pop_to_mark()))

    def _op_tuple1(self, _: None) -> None:
        self._stack[-1:] = [tuple(self._stack[-1:])]

    def _op_tuple2(self, _: None) -> None:
        self._stack[-2:] = [tuple(self._stack[-2:])]

    def _op_tuple3(self, _: None) -> None:
        self._stack[-3:] = [tuple(self._stack[-3:])]

    def _op_empty_tuple(self, _: None) -> None:
        self._stack.append(())

    def _op_empty_dict(self, _: None) -> None:
        self._stack.append({})

    def _op_setitem(self, _: None) -> None:
        self._set([self._stack.pop(), self._stack.pop()][::-1])

    def _op_setitems(self, _: None) -> None:
        self._set(self._pop_to_mark())

    def _op_dict(self, _: None) -> None:
        items = self._pop_to_mark()
        self._stack.append({})
        self._set(items)

    def _op_reduce(self, _: None) -> None:
        arguments, what = self._stack.pop(), self._stack.pop()
        self._stack.append(_Made(what, arguments))

    _op_newobj = _op_reduce

    def _op_build(self, _: None) -> None:
        state = self._stack.pop()
        made = self._stack[-1]
        if isinstance(made, _Made) and made.what == _Global(_ARRAY_WRAPPER):
            self._skip_array(state)

    def _generic(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        before = list(opcode.stack_before)
        if pickletools.markobject in before:
            self._pop_to_mark()
            before = before[: before.index(pickletools.markobject)]
        for _ in before:
            self._stack.pop()
        literal = argument if isinstance(argument, (str, int)) else None
        self._stack.extend([literal] * len(opcode.stack_after))

    def _pop_to_mark(self) -> list[Any]:
        items: list[Any] = []
        while (item := self._stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def _set(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, dict):
            pairs = zip(items[::2], items[1::2], strict=True)
            target.update({key: value for key, value in pairs if isinstance(key, str)})

    def _skip_array(self, state: dict[str, Any]) -> None:
        """Step over the raw numbers that joblib writes into the middle of its pickle."""
        code = state["dtype"].arguments[0]
        if code.startswith("O"):
            # Arrays of objects are a pickle in the pickle.
            _Walk(self._stream, self._names, self._depth + 1).run()
            return
        if state.get("numpy_array_alignment_bytes") is not None:
            self._stream.seek(self._stream.read(1)[0], io.SEEK_CUR)
        match = _ITEM_CODE.fullmatch(code)
        if match is None:
            raise ValueError("unknown kind of array")
        item_bytes = int(match[2]) * (_BYTES_A_CHARACTER if match[1] == "U" else 1)
        self._stream.seek(math.prod(state["shape"]) * item_bytes, io.SEEK_CUR)
