"""Which tokens this user has made or looked at: a database that came with a folder may accept others as well."""

import contextlib
import hashlib
from collections.abc import Iterable

from cvserve.errors import Unsafe
from cvserve.files import xdg_folder
from cvserve.private_record import PrivateRecord
from cvserve.store.tokens import Token
from cvserve.timestamps import format_timestamp


def note_known(tokens: Iterable[Token]) -> None:
    """Remember tokens that this user has just made, or was just shown; where nothing can be written, nothing happens.

    Args:
        tokens: rows of a database, from any folder.
    """
    with contextlib.suppress(Unsafe):
        known = _record().read()
        _record().add_all({_key(token): {"name": token.name} for token in tokens if _key(token) not in known})


def find_unknown(tokens: Iterable[Token]) -> list[Token]:
    """Those of the tokens that open something now and that this user has neither made nor looked at.

    Args:
        tokens: rows of a database.
    """
    known: Iterable[str] = ()
    with contextlib.suppress(Unsafe):  # a record that others may write to could hide something
        known = _record().read()
    now = format_timestamp()
    return [token for token in tokens if token.digest and token.is_valid(now) and _key(token) not in known]


def _key(token: Token) -> str:
    # Not the digest itself, which belongs into the database alone; a name or an id would be a stranger's to choose.
    return hashlib.sha256(f"known {token.digest}".encode()).hexdigest()


def _record() -> PrivateRecord:
    path = xdg_folder("XDG_STATE_HOME", ".local/state") / "known_tokens.json"
    return PrivateRecord(path, "The record of known tokens", "delete it")
