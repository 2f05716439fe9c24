"""`model.toml` and a file of labels: what the user says about a model file."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from cvserve.errors import ModelLoadError
from cvserve.predictor.models.config.conflicts import check_alone
from cvserve.predictor.models.config.files import ConfigFiles, IsVouched
from cvserve.predictor.models.config.keys import CHECKS
from cvserve.predictor.models.config.label_file import parse_labels
from cvserve.predictor.models.config.presets import PRESET, expand_preset
from cvserve.predictor.models.fault import ModelFault, about
from cvserve.texts import did_you_mean
from cvserve.toml_text import NotToml, parse_toml
from cvserve.trust.vouched import is_vouched

_SECTIONS = ("input", "output", "model")
_LABELS_FILE = "labels.txt"
_MAX_SHOWN = 60


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What the user says about a model; nothing is filled in.

    Attributes:
        values: checked values by key: `name`, `labels`, `input.size`, …, `output.scores`.
        origins: for each key `model.toml`, or the name of the file of labels.
        path: the file that was read, or where one would be looked for; error texts name it.
    """

    path: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        """Name of the file to write to, for error texts."""
        return self.path.name

    @property
    def labels_source(self) -> str:
        """Name of the file that has the labels, for error texts."""
        origin = self.origins["labels"]
        return self.file_name if origin == "model.toml" else origin

    def yield_preset(self, said: Mapping[str, Any]) -> "ModelConfig":
        """The config without the size of a preset where the model file says one: a preset knows no file.

        Args:
            said: fields of `InputSpec` that the file says.
        """
        if "size" not in said or not self.origins.get("input.size", "").startswith(PRESET):
            return self
        values, origins = ({key: of[key] for key in of if key != "input.size"} for of in (self.values, self.origins))
        return replace(self, values=values, origins=origins)

    def fill(self, fields: Mapping[str, Any], origin: str) -> "ModelConfig":
        """The config with values for keys of which it says nothing.

        Args:
            fields: checked values by key, e.g. `{"input.size": (224, 224)}`.
            origin: of those, e.g. `timm`.
        """
        new = {key: value for key, value in fields.items() if key not in self.values}
        return replace(self, values={**self.values, **new}, origins={**self.origins, **dict.fromkeys(new, origin)})


def read_config(
    model: Path,
    config: str | os.PathLike[str] | None = None,
    *,
    is_vouched: IsVouched = is_vouched,
    named: str | None = None,
) -> ModelConfig:
    """Read what stands beside a model file.

    Args:
        model: path of the model file; `model.toml` has the same stem, `labels.txt` is in the same folder.
        config: another `model.toml`, which must exist.
        is_vouched: asked about what a link out of a folder leads to.
        named: what a user calls the model, where that is not its path, e.g. `package.module:MaskModel`.

    Raises:
        ModelLoadError: not readable, not TOML, an unknown key, a value that cannot be used, or labels that
            contradict each other.
        Unsafe: a link leads out of a folder, and the user does not vouch for it.
    """
    path = Path(config) if config is not None else model.with_suffix(".toml")
    files = ConfigFiles(model, None if config is None else path, is_vouched, named)
    text = files.read_config()
    if text is None and config is not None:
        raise ModelLoadError(f"There is no model config '{path}'; check the path.")
    with about(path.name):
        values = _check_document(_parse_toml(text or ""))
        check_alone(values)
        origins = dict.fromkeys(values, "model.toml")
        expand_preset(values, origins)
        if isinstance(values.get("labels"), PurePath):
            origins["labels"] = str(values["labels"])
            values["labels"] = _read_named_labels(files, path.parent, values["labels"])
    beside = _read_labels(files, model.parent, _LABELS_FILE)
    if beside is not None:
        values.setdefault("labels", beside)
        origins.setdefault("labels", _LABELS_FILE)
    read = ModelConfig(path, values, origins)
    if beside is not None and values["labels"] != beside:
        raise ModelLoadError(
            f"{read.labels_source} has {len(values['labels'])} labels and {_LABELS_FILE} has {len(beside)} others; "
            "keep one of the two."
        )
    return read


def _parse_toml(text: str) -> dict[str, Any]:
    try:
        return parse_toml(text)
    except NotToml as error:
        where = f" in line {error.line}" if error.line else " at its end" if error.is_cut else f": {error}"
        raise ModelFault(f'is not valid TOML{where}; a line looks like: mode = "L"') from None


def _read_named_labels(files: ConfigFiles, folder: Path, name: PurePath) -> tuple[str, ...]:
    """The labels of a file that `model.toml` names."""
    labels = _read_labels(files, folder, name)
    if labels is None:
        raise ModelFault(
            f"has labels = {str(name)!r}, but there is no such file beside it; "
            'write the file, one label a line or as JSON, or a list such as ["cat", "dog"].'
        )
    return labels


def _read_labels(files: ConfigFiles, folder: Path, name: str | PurePath) -> tuple[str, ...] | None:
    """The labels of a file; None when there is no file."""
    text = files.read(folder, name)
    if text is None:
        return None
    with about(str(name)):
        return parse_labels(name, text)


def _check_document(document: dict[str, Any]) -> dict[str, Any]:
    """The checked values by key, those of a section with its name before: `input.size`."""
    values: dict[str, Any] = {}
    for key, value in document.items():
        if key in _SECTIONS:
            if not isinstance(value, dict):
                raise ModelFault(f"has a value for '{key}', which is a section; write [{key}] on a line of its own.")
            for inner, inner_value in value.items():
                values[f"{key}.{inner}"] = _check_value(f"{key}.{inner}", inner_value)
        else:
            values[key] = _check_value(key, value)
    return values


def _check_value(key: str, value: Any) -> Any:
    check = CHECKS.get(key)
    if check is None:
        raise ModelFault(f"has an unknown key {key[:_MAX_SHOWN]!r}; {_suggest_key(key)}")
    return check(key, value)


def _suggest_key(unknown: str) -> str:
    last = unknown.rpartition(".")[2]
    by_last = {key.rpartition(".")[2]: key for key in CHECKS}
    if last in by_last:
        # The right word in the wrong section is the most frequent slip.
        section, _, _ = by_last[last].rpartition(".")
        return f"'{last}' belongs {f'under [{section}]' if section else 'at the top, above all sections'}."
    known = by_last | {section: f"[{section}]" for section in _SECTIONS}
    return did_you_mean(last, known, known) or f"the known ones are {', '.join(CHECKS)}."
