"""What a user trusts: the files of settings of a folder, and the record of models."""

import os
from pathlib import Path

from cvserve.configuration import load_configuration
from cvserve.trust.claims import trust_file


def trust_settings(folder: Path) -> None:
    """Vouch for `.env` and `cvserve.toml` as they are now, as `cvserve config trust` does."""
    claims = load_configuration({}, {}, folder, refuses=False).foreseen
    for file in {claim.file.path: claim.file for claim in claims}.values():
        trust_file(file, claims, "a test")


def store_path() -> Path:
    """Where the user's record of trusted models is, for tests that set its folder."""
    return Path(os.environ["XDG_CONFIG_HOME"], "cvserve", "trust.json")
