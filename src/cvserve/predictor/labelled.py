"""Pictures whose class is known: a folder with a folder for each class, or a CSV with the columns path, label."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cvserve.errors import InvalidSetting
from cvserve.predictor.images.signatures import SUFFIXES
from cvserve.texts import did_you_mean, list_some

_COLUMNS = ("path", "label")
_MAX_SHOWN = 12


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture whose class is known.

    Attributes:
        path: of its file.
        truth: index of its class, from 0.
    """

    path: Path
    truth: int


def read_labelled(source: Path, labels: Sequence[str]) -> list[LabelledPicture]:
    """All labelled pictures, in the order of their paths or of the lines.

    Args:
        source: a folder such as `held-out/<label>/*.jpg`, or a CSV; paths in it are relative to its folder.
        labels: what the model calls its classes. A class may also be named by its index, unless the model has
            classes that are called by numbers themselves.

    Raises:
        InvalidSetting: there is no such folder or file, it holds no labelled picture, or a class that the model
            does not know.
    """
    if source.is_dir():
        found = _find_in_folder(source)
    elif source.is_file():
        found = _read_table(source)
    else:
        raise InvalidSetting(f"There is no folder or CSV '{source}'; check the path.")
    indices = _index_classes({label for _, label in found}, labels, source)
    return [LabelledPicture(path, indices[label]) for path, label in found]


def _find_in_folder(folder: Path) -> list[tuple[Path, str]]:
    pictures = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and not _is_hidden(path, folder)
    )
    labelled = [(path, path.relative_to(folder).parts[0]) for path in pictures if path.parent != folder]
    loose = [path.name for path in pictures if path.parent == folder]
    if loose:
        raise InvalidSetting(
            f"'{folder}' itself holds {_quote(loose)}, of which the class is not known; move each picture into a "
            "folder that is named after its class."
        )
    if not labelled:
        raise InvalidSetting(
            f"'{folder}' holds no labelled pictures; make a folder for each class in it, with pictures "
            f"({', '.join(SUFFIXES)})."
        )
    return labelled


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _read_table(table: Path) -> list[tuple[Path, str]]:
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "it is no CSV in UTF-8"
        raise InvalidSetting(f"'{table}' cannot be read: {reason}; give a folder, or a CSV.") from None
    if not rows or not set(_COLUMNS) <= set(rows[0]):
        raise InvalidSetting(f"'{table}' needs a first line with the columns path,label and a line for each picture.")
    for line, row in enumerate(rows, start=2):
        if not row["path"] or not row["label"]:
            raise InvalidSetting(f"Line {line} of '{table}' has no path or no label; write both.")
    return [(table.parent / row["path"], row["label"].strip()) for row in rows]


def _index_classes(named: set[str], labels: Sequence[str], source: Path) -> dict[str, int]:
    """Index of each class that is named in the data."""
    by_name = {label: index for index, label in enumerate(labels)}
    # Where "3" is what a class is called, it cannot be told from the fourth class.
    if not any(label.isdigit() for label in labels):
        by_name = {str(index): index for index in range(len(labels))} | by_name
    unknown = sorted(named - set(by_name))
    if unknown:
        hint = did_you_mean(unknown[0], labels)
        raise InvalidSetting(
            f"'{source}' names {_quote(unknown)}, which the model does not know; its classes are "
            f"{_quote(labels)}{f'; {hint}' if hint else '.'}"
        )
    return {label: by_name[label] for label in named}


def _quote(names: Iterable[str]) -> str:
    return list_some((f"'{name}'" for name in names), _MAX_SHOWN)
