"""Which model format some bytes are: recognised by what is in them, never by a name."""

import io
import lzma
import pickletools
import zipfile
from typing import NamedTuple


class Kind(NamedTuple):
    """One model format.

    Attributes:
        key: short word, e.g. `skops`.
        title: for people, with its article.
        suffixes: the extensions that promise it.
        hides_code: reading it can run code that its maker put there.
    """

    key: str
    title: str
    suffixes: tuple[str, ...]
    hides_code: bool = False


_PICKLES = (".pkl", ".pickle", ".joblib")
# `joblib.dump(model, "model.pkl")` is everyday practice and both run code alike: they share their extensions.
SKOPS = Kind("skops", "a skops file", (".skops",))
PICKLE = Kind("pickle", "a pickle", _PICKLES, hides_code=True)
JOBLIB = Kind("joblib", "a joblib file", _PICKLES, hides_code=True)
ONNX = Kind("onnx", "an ONNX model", (".onnx",))
TORCHSCRIPT = Kind("torchscript", "a TorchScript program", (".pt", ".pth", ".ts"), hides_code=True)
# What fastai and many scripts write by `torch.save` is called a pickle, which it is, in an archive.
TORCH = Kind("torch", "a PyTorch file", (".pt", ".pth", ".bin", ".ckpt", *_PICKLES), hides_code=True)
# `torch.export.load` unpickles tensors and evaluates the expressions of shapes.
TORCH_EXPORT = Kind("torch-export", "a PyTorch export", (".pt2",), hides_code=True)
HDF5 = Kind("hdf5", "an HDF5 file", (".h5", ".hdf5"))
KERAS = Kind("keras", "a Keras model", (".keras",))
LITERT = Kind("litert", "a LiteRT model", (".tflite",))
SAFETENSORS = Kind("safetensors", "a safetensors file", (".safetensors",))
# Folders, told by their `config.json`
HUGGINGFACE = Kind("huggingface", "a Hugging Face folder", ())
TIMM_FOLDER = Kind("timm-folder", "a folder of timm", ())
PYTHON = Kind("python", "a Python file", (".py",), hides_code=True)
ZIP = Kind("zip", "a zip archive", (".zip", ".npz"))
WEIGHTS_FOLDER = Kind("folder", "a folder", ())
UNKNOWN = Kind("unknown", "a file of a format that cvserve does not know", ())

KINDS = (SKOPS, PICKLE, JOBLIB, ONNX, TORCHSCRIPT, TORCH, TORCH_EXPORT, HDF5, KERAS, LITERT, SAFETENSORS, PYTHON, ZIP)

# Known by name only: files of a plugin's format may look like these.
UNSERVED = (HDF5, KERAS, LITERT, SAFETENSORS, ZIP)

# The others, as sentences call them.
SERVED_SUFFIXES = ".skops, .joblib, .pkl, .onnx, .pt2 or .pt"
SERVED_FORMATS = "scikit-learn files (.skops, .joblib, .pkl), ONNX and PyTorch models"

# joblib's own table of compressors; LZ4 needs a package of its own
COMPRESSORS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x5d\x00\x00": "lzma",
    b"\x04\x22\x4d\x18": "lz4",
}
_ZLIB_SECOND_BYTES = b"\x01\x5e\x9c\xda"
_OPCODES_LOOKED_AT = 4
# Where each begins, and what stands there
_MARKS = (
    # How `torch.save` began a file before version 1.6: a pickled number
    (0, b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", TORCH),
    (0, b"\x89HDF\r\n\x1a\n", HDF5),
    (4, b"TFL3", LITERT),
)
_JOBLIB_MARK = b"joblib.numpy_pickle"
# Field numbers of ONNX's ModelProto that can stand right behind `ir_version`
_ONNX_SECOND_TAGS = b"\x12\x1a\x22\x28\x32\x3a\x42"


def kind_of(data: bytes) -> Kind | None:
    """The format, or None when it is none that cvserve knows by name."""
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _kind_of_zip(data)
    for start, mark, kind in _MARKS:
        if data.startswith(mark, start):
            return kind
    if compressor_of(data) is not None:
        return JOBLIB
    if data[:1] == b"\x08" and data[2:3] in _split_bytes(_ONNX_SECOND_TAGS):
        return ONNX
    if data[8:10] == b'{"' and int.from_bytes(data[:8], "little") < len(data):
        return SAFETENSORS
    if is_pickle(data):
        return JOBLIB if _JOBLIB_MARK in data else PICKLE
    return None


def kinds_of_suffix(suffix: str) -> tuple[Kind, ...]:
    """The formats that an extension promises; none for one that promises nothing."""
    return tuple(kind for kind in KINDS if suffix.lower() in kind.suffixes)


def compressor_of(data: bytes) -> str | None:
    """Name of the compressor that joblib used, or None."""
    if data[:1] == b"\x78" and data[1:2] in _split_bytes(_ZLIB_SECOND_BYTES):
        return "zlib"
    for magic, name in COMPRESSORS.items():
        if data.startswith(magic):
            return name
    return None


def is_pickle(data: bytes) -> bool:
    """Whether `data` begins like a pickle of any protocol.

    Protocols 0 and 1 have no magic bytes: their first opcodes are parsed, and the last one must be a stop.
    """
    if data[:1] == b"\x80" and data[1:2] in _split_bytes(b"\x02\x03\x04\x05"):
        return True
    if not data.rstrip().endswith(b"."):
        return False
    try:
        for count, _ in enumerate(pickletools.genops(io.BytesIO(data))):
            if count == _OPCODES_LOOKED_AT:
                break
    except (ValueError, IndexError, UnicodeDecodeError):
        return False
    return True


def _kind_of_zip(data: bytes) -> Kind:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, lzma.LZMAError, OverflowError):
        return ZIP
    if "schema.json" in names:
        return SKOPS
    inner = {name.partition("/")[2] for name in names}
    if "config.json" in names and "model.weights.h5" in names:
        return KERAS
    if {"archive_format", "models/model.json"} & inner or "serialized_exported_program.json" in names:
        return TORCH_EXPORT
    if "data.pkl" in inner:
        return TORCHSCRIPT if any(name.startswith("code/") for name in inner) else TORCH
    return ZIP


def _split_bytes(values: bytes) -> tuple[bytes, ...]:
    return tuple(bytes([value]) for value in values)
