"""One setting as it is declared: `setting(...)` makes the field, `Reach` says who may set it."""

import dataclasses
from collections.abc import Callable
from enum import Enum
from typing import Any


class Reach(Enum):
    """From how far a setting may come; the value is the word for it in `docs/settings.md`.

    A folder's `.env` and `cvserve.toml` may be a stranger's: somebody clones a repository and types `cvserve serve`
    in it. So they may choose the model, how it is fed, sizes and formats. Who may come in, where secrets go, what is
    read or written outside of the folder is for the user to say: by a flag, in the real environment, or by trusting
    the folder (`cvserve config trust`).
    """

    FOLDER = "any folder"  # the file of any folder may set it
    LOOPBACK = "any folder, while only this machine can call"  # beyond a loopback address: as TRUSTED
    INSIDE = "any folder, for a path inside it"  # a path, or a link, that leads out of the folder: as TRUSTED
    INSIDE_LOOPBACK = "any folder, for a path inside it, while only this machine can call"  # both
    TRUSTED = "a trusted folder"  # a flag, the real environment, or the file of a folder that the user has trusted
    PERSON = "never a file"  # a flag or the real environment


def setting(
    default: Any,
    help_: str,
    parse: Callable[[str], Any] = str,
    *,
    reach: Reach,
    alias: str | None = None,
    secret: bool = False,
    flag: bool = True,
    loads_model: bool = False,
    of_one_model: bool = False,
    metavar: str = "",
) -> Any:
    """A field of `Settings`.

    Args:
        default: value when nobody says anything.
        help_: one sentence, with the unit.
        parse: from text to the value; raises ValueError with the way out.
        reach: who may set it; a setting that opens a door, sends a secret somewhere, or reads or writes outside of the
            folder is not `Reach.FOLDER`.
        alias: a second environment variable.
        secret: masked when printed.
        flag: whether `serve` has an option for it.
        loads_model: every command that loads a model has an option for it.
        of_one_model: it describes the model that is named beside it, and is left out when another one is loaded.
        metavar: what stands behind its option in `--help`; empty: the last word of the setting's name.
    """
    metadata = {
        "help": help_,
        "parse": parse,
        "reach": reach,
        "alias": alias,
        "secret": secret,
        "flag": flag,
        "loads_model": loads_model,
        "of_one_model": of_one_model,
        "metavar": metavar,
    }
    return dataclasses.field(default=default, metadata=metadata)
