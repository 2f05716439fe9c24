"""Whether a user vouches for a file in which code can hide: asked in one place, for every command that loads one."""

import sys
from pathlib import Path

import typer

from cvserve.errors import CvserveError
from cvserve.files import is_inside, read_once
from cvserve.predictor.backends.python.module import file_of
from cvserve.predictor.loading import is_served
from cvserve.predictor.models.code.transforms import read_transform
from cvserve.predictor.models.code.trust import describe_parts, is_trusted, record
from cvserve.predictor.models.config.place import find_config_place
from cvserve.predictor.models.config.read import read_config
from cvserve.predictor.models.files.file import ModelFile, with_imports
from cvserve.predictor.models.files.folder import read_model
from cvserve.settings import Settings

_MAX_CONFIG_BYTES = 16 * 1024**2
TYPED_CHARACTERS = 8  # of a hash, where a user vouches for a file


def ask_trust(path: str | Path) -> bool:
    """Whether this user vouches for a file; on a terminal they are asked, and a yes is remembered.

    Args:
        path: of a model file, or a class as `my_model.py:MyModel`.

    Returns:
        True when the file needs no trust, has it, or was just given it; False when there is nobody to ask, or
        the answer is no.

    Raises:
        ModelLoadError: the file cannot be read.
        Unsafe: others may replace it, or the record of trust.
    """
    file = with_imports(read_model(file_of(path)))
    # What has no loader is refused by the loader, with a better reason than trust.
    if not file.kind.hides_code or not is_served(file) or is_trusted(file.code_sha256, file.path):
        return True
    return is_terminal() and ask_for_hash(file)


def ask_trust_of_transform(settings: Settings) -> bool:
    """The same for the transform that the `model.toml` of the settings' model names; True when it names none.

    What is wrong with the model or its `model.toml` is left to the loader, which has better words for it.
    """
    assert settings.model is not None
    try:
        path = file_of(settings.model)
        place = find_config_place(settings.model, path)
        beside = place.with_suffix(".toml") if settings.model_config is None else Path(settings.model_config)
        if b"transform" not in read_once(beside, _MAX_CONFIG_BYTES)[0]:
            return True  # before anything is loaded that a preset may need
        file = read_transform(read_config(place, settings.model_config))
    except (CvserveError, OSError, ValueError):
        return True
    is_meant = settings.model_is_code and file is not None and is_inside(file.path, path.parent)
    return file is None or is_meant or ask_trust(file.path)


def is_terminal() -> bool:
    """Whether there is somebody to ask: stdin and stderr are a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask_for_hash(file: ModelFile) -> bool:
    """Show what code can hide in a file and ask for the beginning of its hash; the right answer is remembered.

    A `y` would be no answer: the hand types it by itself.

    Returns:
        Whether the answer was right, so that the file is trusted now.

    Raises:
        Unsafe: the record of trust cannot be relied on, or not be written.
    """
    from cvserve.commands.loading.risk_views import show_risk  # Rich, only for those who are asked

    show_risk(file)
    answer = typer.prompt(
        f"To run it, type the first {TYPED_CHARACTERS} characters of its SHA-256",
        default="",
        show_default=False,
        err=True,
    )
    if answer.strip().lower() != file.code_sha256[:TYPED_CHARACTERS]:
        return False
    record(file.code_sha256, file.path, file.size, "asked on a terminal", describe_parts(file))
    return True
