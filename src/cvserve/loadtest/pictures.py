"""The pictures that are sent: those of a folder, or those that come with cvserve."""

from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from cvserve.errors import InvalidSetting

# These stand in the locustfile as well, which must run without cvserve's modules.
KINDS = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}


class Picture(NamedTuple):
    """A file and its media type."""

    path: Path
    kind: str


def find_pictures(folder: str) -> list[Picture]:
    """Find the pictures of a folder and below it, in order.

    Args:
        folder: empty: those that come with cvserve.

    Raises:
        InvalidSetting: there is no such folder, or no picture in it.
    """
    root = Path(folder) if folder else Path(str(files("cvserve") / "samples"))
    if not root.is_dir():
        raise InvalidSetting(f"--images is '{folder}': there is no such folder.")
    found = sorted((path for path in root.rglob("*") if path.suffix.lower() in KINDS and path.is_file()), key=str)
    if not found:
        raise InvalidSetting(f"--images is '{folder}': there are no pictures in it ({', '.join(KINDS)}).")
    return [Picture(path, KINDS[path.suffix.lower()]) for path in found]
