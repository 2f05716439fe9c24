"""Names of classes: files in a zip archive that is appended to the model.

https://ai.google.dev/edge/litert/conversion/tensorflow/metadata
"""

import io
import json
import zipfile

_MAX_BYTES = 16 * 1024**2
_MAX_FILES = 100


def read_labels(data: bytes, classes: int) -> tuple[str, ...] | None:
    """The names of a model's classes; None when it has none.

    Args:
        data: bytes of a `.tflite` file.
        classes: how many names are looked for.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist()[:_MAX_FILES]:
                if entry.file_size > _MAX_BYTES:
                    continue
                labels = _read(entry.filename, archive, classes)
                if labels is not None and len(labels) == classes:
                    return labels
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RecursionError):
        pass  # most models have no archive behind them
    return None


def _read(name: str, archive: zipfile.ZipFile, classes: int) -> tuple[str, ...] | None:
    if name.endswith(".txt"):
        lines = [line.strip() for line in archive.read(name).decode("utf-8").splitlines()]
        return tuple(line for line in lines if line)
    if name == "metadata.json":  # as Ultralytics writes it
        found = json.loads(archive.read(name))
        names = found.get("names") if isinstance(found, dict) else None
        if isinstance(names, dict) and all(isinstance(names.get(str(index)), str) for index in range(classes)):
            return tuple(names[str(index)] for index in range(classes))
    return None
