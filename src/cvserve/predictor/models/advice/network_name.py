"""Which network weights are of, where their file or its folder says so: for the command that serves them.

Only names are looked for; nothing is loaded. That they fit is seen when the command is run.
"""

import io
import json
import pickletools
import re
import shlex
import zipfile
from collections.abc import Iterator
from itertools import pairwise

from cvserve.files import LeadsOut, read_inside
from cvserve.predictor.models.code.hidden_code import find_names
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.formats.kinds import SAFETENSORS

_NAMESPACE = "argparse.Namespace"
_MAX_BYTES = 2**20
_NAME = re.compile(r"[A-Za-z][\w.-]{2,80}")
_TEXT_OPCODES = ("BINUNICODE", "SHORT_BINUNICODE", "UNICODE")
# Modules in which PyTorch saves what a checkpoint is made of
_OF_PYTORCH = ("torch", "collections", "numpy", "_codecs", "builtins", "__builtin__")


def suggest_model(file: ModelFile) -> str:
    """What to write behind `--model` for weights: a network by its name, their folder, or a class to be named.

    Args:
        file: weights, by `torch.save` or as safetensors.
    """
    if file.kind is SAFETENSORS:
        return _read_config(file) or "model.py:ClassName"
    texts = list(_read_texts(file))
    pairs = list(pairwise(texts))
    for key, is_of_timm in (("arch", _NAMESPACE in find_names(file).names), ("model", False)):
        name = next((value for before, value in pairs if before == key and _NAME.fullmatch(value)), None)
        if name is not None:
            return f"timm:{name}" if is_of_timm else f"torchvision.models:{name}"
    return "model.py:ClassName"


def find_outer_class(file: ModelFile) -> str | None:
    """The class of a module that was pickled whole, `module.Name`: the first that is named in the file."""
    for opcode, argument in _read_opcodes(file):
        if opcode == "GLOBAL" and argument.partition(".")[0].partition(" ")[0] not in _OF_PYTORCH:
            return argument.replace(" ", ".", 1)
    return None


def _read_config(file: ModelFile) -> str | None:
    """From the `config.json` that Hugging Face and timm write beside weights."""
    folder = file.path.parent
    try:
        says = json.loads(read_inside(folder, "config.json", _MAX_BYTES)[0])
    except (OSError, ValueError, LeadsOut, RecursionError):
        return None
    if not isinstance(says, dict):
        return None
    name = says.get("architecture")
    if isinstance(name, str) and _NAME.fullmatch(name):
        return f"timm:{name}"
    return shlex.quote(f"{folder}/") if "architectures" in says else None


def _read_texts(file: ModelFile) -> Iterator[str]:
    """Texts of the pickle, with "" where something else stands between two: what follows a key is its value."""
    memo: dict[str, str] = {}
    last = ""
    for opcode, argument in _read_opcodes(file):
        if opcode.endswith("PUT"):
            memo[argument] = last
            continue
        last = argument if opcode in _TEXT_OPCODES else memo.get(argument, "") if opcode.endswith("GET") else ""
        yield last


def _read_opcodes(file: ModelFile) -> Iterator[tuple[str, str]]:
    data = file.data
    try:
        if data.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
                if archive.getinfo(name).file_size > 64 * _MAX_BYTES:
                    return
                data = archive.read(name)
        for opcode, argument, _ in pickletools.genops(data):
            yield opcode.name, str(argument)
    except Exception:  # a broken or hostile stream can upset a parser in any way
        return
