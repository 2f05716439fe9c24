"""A folder whose files of settings the user has read and trusted."""

from pathlib import Path

from cvserve.configuration import load_configuration
from cvserve.trust.claims import trust_file


def trust_settings(folder: Path) -> None:
    """Vouch for `.env` and `cvserve.toml` as they are now, as `cvserve config trust` does."""
    claims = load_configuration({}, {}, folder, refuses=False).foreseen
    for file in {claim.file.path: claim.file for claim in claims}.values():
        trust_file(file, claims, "a test")
