"""What `cvserve token` does: make, list and revoke tokens in the database of a folder."""

import sys
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path

from cvserve.commands.terminal.columns import Column, Row
from cvserve.commands.terminal.output import Format, print_json, say
from cvserve.commands.terminal.table import print_table
from cvserve.history.history import history_exists
from cvserve.settings import DATABASE_NAME
from cvserve.store.database import prepare_database
from cvserve.store.known_tokens import note_known
from cvserve.store.tokens import Token, TokenStore
from cvserve.timestamps import format_timestamp

_COLUMNS = (
    Column("name"),
    Column("begins with", spare=1),
    Column("scopes"),
    Column("made", spare=3),
    Column("expires"),
    Column("last used", spare=2),
    Column("state"),
)


def make_token(folder: Path, name: str, scopes: Iterable[str], lifetime: timedelta | None, *, as_json: bool) -> None:
    """Make a token and print its secret, which is kept nowhere: the database has its hash.

    Args:
        folder: of the database, which is made when it is not there.
        name: whom the token is for.
        scopes: what it opens; one that is named twice counts once.
        lifetime: after which it opens nothing; None: it does not expire.
        as_json: print secret and facts as a JSON list instead of the secret alone.

    Raises:
        CvserveError: a name that cannot be used or is taken, an unknown scope, a database that cannot be written.
    """
    with _open_store(folder) as store:
        secret, token = store.create(name, tuple(dict.fromkeys(scopes)), lifetime)
    note_known([token], folder / DATABASE_NAME)
    if as_json:
        print_json([{"token": secret, **token.to_dict()}], Format.JSON)
        return
    until = f", until {token.expires_at}" if token.expires_at else ""
    say(f"Token '{name}' opens {', '.join(sorted(token.scopes))}{until}. It is shown this once:")
    sys.stdout.write(f"{secret}\n")


def list_tokens(folder: Path, form: Format) -> None:
    """Print all tokens that a folder's database has, valid or not; where there is no database, none is made."""
    tokens: Sequence[Token] = []
    if history_exists(folder):
        with _open_store(folder) as store:
            tokens = store.list_tokens()
    if form is not Format.TABLE:
        print_json([token.to_dict() for token in tokens], form)
    elif tokens:
        print_table(_COLUMNS, [_to_row(token) for token in tokens])
    else:
        say("No tokens yet; make one with: cvserve token new NAME")
    note_known(tokens, folder / DATABASE_NAME)


def revoke_token(folder: Path, name: str) -> None:
    """Refuse a token from now on.

    Raises:
        NotFound: there is no token of that name.
    """
    with _open_store(folder) as store:
        store.revoke(name)
    say(f"Token '{name}' is revoked: the server refuses it from now on.")


def _open_store(folder: Path) -> TokenStore:
    path = folder / DATABASE_NAME
    prepare_database(path)
    return TokenStore(path)


def _to_row(token: Token) -> Row:
    state = "revoked" if token.revoked_at else "valid" if token.is_valid(format_timestamp()) else "expired"
    used = (token.last_used_at or "–")[:19].replace("T", " ")
    cells = (
        token.name,
        f"{token.prefix}…",
        ", ".join(sorted(token.scopes)),
        token.created_at[:10],
        (token.expires_at or "never")[:10],
        used,
        state,
    )
    return Row(cells, "" if state == "valid" else "dim")
