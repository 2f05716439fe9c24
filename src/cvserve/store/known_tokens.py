"""Which tokens this user has made or looked at: a database that came with a folder may accept others as well."""

import contextlib
import hashlib
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from cvserve.errors import Unsafe
from cvserve.files import find_birth_s
from cvserve.store.tokens import Token
from cvserve.timestamps import format_timestamp
from cvserve.trust.private_record import PrivateRecord

# Nothing was remembered before the second of these days, and there was no cvserve before the first: a file that the
# kernel made in between was in use already when this user's cvserve began to remember. The time at which a file was
# made is the kernel's to say; no archive and no clone brings one along.
_FIRST_DAY_S = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
_REMEMBERS_FROM_S = datetime(2026, 11, 25, tzinfo=UTC).timestamp()


def note_known(tokens: Iterable[Token], database: Path) -> None:
    """Remember tokens that this user has just made, or was just shown; where nothing can be written, nothing happens.

    Args:
        tokens: rows of the database.
        database: path of the file; a record in its folder, which may have come with it, is neither read nor written.
    """
    with contextlib.suppress(Unsafe):
        known = _record(database).read()
        _record(database).add_all({_key(token): {"name": token.name} for token in tokens if _key(token) not in known})


def find_unknown(
    tokens: Iterable[Token], database: Path, *, remembers_from_s: float = _REMEMBERS_FROM_S
) -> list[Token]:
    """Those of the tokens that open something now and that this user has neither made nor looked at.

    Args:
        tokens: rows of the database.
        database: path of the file; one that is older than the record of known tokens has none that are unknown.
        remembers_from_s: since when there is that record, in seconds since 1970.
    """
    born_at_s = find_birth_s(database)
    # A clock that stands before that day is wrong, and was wrong when the file was made.
    if born_at_s is not None and _FIRST_DAY_S < born_at_s < remembers_from_s <= time.time():
        return []
    known: Iterable[str] = ()
    with contextlib.suppress(Unsafe):  # a record that others may write to could hide something
        known = _record(database).read()
    now = format_timestamp()
    return [token for token in tokens if token.digest and token.is_valid(now) and _key(token) not in known]


def can_remember(database: Path) -> bool:
    """Whether tokens that this user is shown can be remembered: there is a folder for it, and it is their own."""
    try:
        return _record(database).can_be_kept()
    except Unsafe:
        return False


def _key(token: Token) -> str:
    # Not the digest itself, which belongs into the database alone; a name or an id would be a stranger's to choose.
    return hashlib.sha256(f"known {token.digest}".encode()).hexdigest()


def _record(database: Path) -> PrivateRecord:
    title = "The record of known tokens"
    return PrivateRecord("XDG_STATE_HOME", "known_tokens.json", title, "delete it", apart_from=(database.parent,))
