"""A model that is a folder, as Hugging Face and timm save one: its files, read once and from inside of it."""

import hashlib
import json
import os
import shlex
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvserve.errors import ModelLoadError, Unsafe
from cvserve.files import LeadsOut, describe_read_error, read_inside, refuse_open_to_all
from cvserve.predictor.models.fault import ModelFault, about
from cvserve.predictor.models.files.file import MAX_BYTES, ModelFile, read_model_file
from cvserve.predictor.models.formats.kinds import HUGGINGFACE, SERVED_SUFFIXES, TIMM_FOLDER
from cvserve.texts import list_some

CONFIG, PROCESSORS = "config.json", ("preprocessor_config.json", "processor_config.json")
# In this order, as Hugging Face looks for them
SAFETENSORS, SAFETENSORS_INDEX, TORCH_WEIGHTS = "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"
_MAX_TEXT_BYTES = 16 * 1024**2
_MAX_WEIGHTS_BYTES = 4 * MAX_BYTES
_MAX_SHARDS, _MAX_LISTED, _MAX_SHOWN = 1000, 10_000, 5


@dataclass(frozen=True, slots=True, repr=False)
class ModelFolder(ModelFile):
    """A folder as it was at one moment.

    Its `data` is that of `config.json`, its `sha256` one hash over the names and hashes of all files that were read.

    Attributes:
        files: everything in these files, by their names in the folder.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(map(len, self.files.values()))

    @property
    def name(self) -> str:
        """Of the model: that of the folder, or in Hugging Face's cache that of the repository."""
        repository = _repository_of(self.path)
        return (repository or self.path).name.rpartition("--")[2]

    def read_json(self, name: str) -> dict[str, Any]:
        """The object that a file holds; empty when there is no such file.

        Raises:
            ModelFault: it is no JSON, or no object.
        """
        return _parse(name, self.files[name]) if name in self.files else {}


def read_model(path: str | os.PathLike[str]) -> ModelFile:
    """Read what was named as a model: a file, or a folder as Hugging Face saves one.

    Raises:
        ModelLoadError: as `read_model_file`; the folder has no model, or a file in it cannot be used.
        Unsafe: everybody may write to it, or a file leads out of the folder.
    """
    path = Path(path)
    return _read_folder(path) if path.is_dir() else read_model_file(path)


def _read_folder(path: Path) -> ModelFolder:
    if path.name in ("", ".."):
        path = path.resolve()
    status = path.stat()
    refuse_open_to_all(status, f"the files of the model '{path}'", path)
    config = _read(path, CONFIG, _MAX_TEXT_BYTES)
    if config is None:
        with about(f"'{path.name}'"):
            refuse_saved_model(path)
        raise ModelLoadError(
            f"'{path}' is a folder; name the model file in it, {_list_models(path)}, or a folder with {CONFIG} and "
            f"{SAFETENSORS}, as save_pretrained of Hugging Face writes it."
        )
    with about(path.name):
        says = _parse(CONFIG, config)
        files = {CONFIG: config, **dict(_read_processors(path)), **dict(_read_weights(path))}
    is_timm = "architecture" in says and says.get("model_type") in (None, "timm_wrapper")
    digests = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return ModelFolder(
        path,
        config,
        hashlib.sha256(digests.encode("utf-8", "surrogatepass")).hexdigest(),
        TIMM_FOLDER if is_timm else HUGGINGFACE,
        status.st_uid,
        stat.S_IMODE(status.st_mode),
        files=files,
    )


def _read_processors(folder: Path) -> Iterator[tuple[str, bytes]]:
    for name in PROCESSORS:
        data = _read(folder, name, _MAX_TEXT_BYTES)
        if data is not None:
            yield name, data


def _read_weights(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The weights: one file, or the index of several and these."""
    whole = _read(folder, SAFETENSORS)
    if whole is not None:
        yield SAFETENSORS, whole
        return
    index = _read(folder, SAFETENSORS_INDEX, _MAX_TEXT_BYTES)
    if index is None:
        pickled = _read(folder, TORCH_WEIGHTS)
        if pickled is None:
            raise ModelFault(
                f"has {CONFIG} and no {SAFETENSORS}; save the model into it: model.save_pretrained({folder.name!r})."
            )
        yield TORCH_WEIGHTS, pickled
        return
    yield SAFETENSORS_INDEX, index
    spare = _MAX_WEIGHTS_BYTES
    for name in _shards_of(_parse(SAFETENSORS_INDEX, index)):
        shard = _read(folder, name)
        if shard is None:
            raise ModelFault(f"has no {name}, which {SAFETENSORS_INDEX} names; copy the folder again.")
        spare -= len(shard)
        if spare < 0:
            raise ModelFault(f"has more than {_MAX_WEIGHTS_BYTES:,} bytes of weights; at most that many are read.")
        yield name, shard


def _shards_of(index: Mapping[str, Any]) -> list[str]:
    places = index.get("weight_map")
    names = set(places.values()) if isinstance(places, dict) and all(map(_is_shard, places.values())) else set()
    if not 0 < len(names) <= _MAX_SHARDS:
        raise ModelFault(
            f"has a {SAFETENSORS_INDEX} that does not name the files of its weights; save the model again: "
            "model.save_pretrained(…)."
        )
    return sorted(names)


def _is_shard(name: object) -> bool:
    return isinstance(name, str) and name.endswith(".safetensors") and Path(name).name == name and name.isprintable()


def _read(folder: Path, name: str, max_bytes: int = MAX_BYTES) -> bytes | None:
    """Everything in a file of the folder; None when there is none."""
    real = Path(os.path.realpath(folder))
    # The files of Hugging Face's cache are links into the folder of their repository.
    root = _repository_of(real) or real
    try:
        data, status = read_inside(root, (real / name).relative_to(root), max_bytes)
    except FileNotFoundError:
        return None
    except LeadsOut as out:
        raise Unsafe(
            f"'{folder / name}' leads out of its folder, to '{out.target}', and a model is read from its own folder "
            "only; put a copy in its place."
        ) from None
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"'{folder / name}' cannot be read: {describe_read_error(error)}.") from None
    if not stat.S_ISREG(status.st_mode):
        raise ModelFault(f"has a {name} that is a folder, a pipe or a device, and no file.")
    refuse_open_to_all(status, f"'{folder / name}'", folder / name)
    if status.st_size > max_bytes:
        raise ModelFault(f"has a {name} of {status.st_size:,} bytes; at most {max_bytes:,} are read.")
    return data


def _repository_of(folder: Path) -> Path | None:
    """The folder `models--…` of a snapshot in Hugging Face's cache; None elsewhere."""
    repository = folder.parent.parent
    is_snapshot = folder.parent.name == "snapshots" and repository.name.startswith("models--")
    return repository if is_snapshot else None


def _parse(name: str, data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ModelFault(f"has a {name} that is no JSON object; copy it again.")
    return value


def _list_models(folder: Path) -> str:
    """The model files in a folder, for a sentence; the extensions of such files when there are none."""
    suffixes = tuple(SERVED_SUFFIXES.replace(" or ", ", ").split(", "))
    try:
        with os.scandir(folder) as entries:
            some = [entry.name for entry, _ in zip(entries, range(_MAX_LISTED), strict=False)]
    except OSError:
        some = []
    found = sorted(name for name in some if name.endswith(suffixes) and name.isprintable())
    return list_some(found, _MAX_SHOWN) if found else SERVED_SUFFIXES


def refuse_saved_model(folder: Path) -> None:
    """Say what to do with a folder as TensorFlow saves a model.

    Raises:
        ModelFault: it is one.
    """
    if (folder / "saved_model.pb").is_file():
        made = shlex.quote(f"{folder.resolve().name}.onnx")
        raise ModelFault(
            "is a SavedModel of TensorFlow, which is served as ONNX; make it where TensorFlow and tf2onnx are "
            f"installed: python -m tf2onnx.convert --saved-model {shlex.quote(str(folder))} --output {made}"
        )
