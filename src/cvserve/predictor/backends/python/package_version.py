"""The version of an installed package, which stands for its code in the version of a model."""

import hashlib
from importlib import metadata
from pathlib import Path

from cvserve.predictor.models.files.imports import is_installed


def find_package_version(where: str, source: Path) -> list[tuple[str, str]]:
    """What stands for the code of an installed package, of which one file alone is hashed: a hash of its version.

    Returns:
        As `with_parts` takes it; empty for a file of one's own, and for a package without a version.
    """
    package = where.partition(".")[0]
    if not is_installed(source):
        return []
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:  # a distribution of another name
        return []
    return [(f"package {package}", hashlib.sha256(version.encode("utf-8")).hexdigest())]
