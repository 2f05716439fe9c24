"""`cvserve token new | list | revoke`: who may call the server."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvserve.commands.terminal.options import AsJson, AsNl, Home, home_folder, value_of
from cvserve.commands.terminal.output import Format, chosen, print_json, say
from cvserve.commands.terminal.plain import PlainCommand, PlainGroup

if TYPE_CHECKING:
    from cvserve.store.tokens import Token, TokenStore

token_app = typer.Typer(cls=PlainGroup, help="Tokens: who may call the server.", no_args_is_help=True)
_SCOPES_HELP = "What it opens: predict, history, metrics, admin. May be given several times. Default: predict."


@token_app.command("new", cls=PlainCommand)
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whom it is for.", show_default=False)],
    scope: Annotated[list[str] | None, typer.Option("--scope", help=_SCOPES_HELP, metavar="SCOPE")] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="Lifetime, such as 90d. Default: none.", metavar="TIME")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and show it, this once; a running server knows it within a second."""
    lifetime = _lifetime(expires)
    scopes = tuple(dict.fromkeys(word for entry in scope or ["predict"] for word in entry.split(",")))
    with _store(home_folder(home)) as store:
        secret, token = store.create(name, scopes, lifetime)
    if as_json:
        print_json([{"token": secret, **token.to_dict()}], Format.JSON)
        return
    until = f", until {token.expires_at}" if token.expires_at else ""
    say(f"Token '{name}' opens {', '.join(sorted(token.scopes))}{until}. It is shown this once:")
    typer.echo(secret)


@token_app.command("list", cls=PlainCommand)
def list_(home: Home = None, as_json: AsJson = False, as_nl: AsNl = False) -> None:
    """All tokens there ever were; never their secrets."""
    from cvserve.history.history import history_exists

    form = chosen(as_json=as_json, as_nl=as_nl)
    folder = home_folder(home)
    tokens = []
    if history_exists(folder):
        with _store(folder) as store:
            tokens = store.list_tokens()
    if form is not Format.TABLE:
        print_json([token.to_dict() for token in tokens], form)
        return
    if not tokens:
        say("No tokens yet; make one with: cvserve token new NAME")
        return
    _print_table(tokens)


@token_app.command("revoke", cls=PlainCommand)
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As in the list.", show_default=False)],
    home: Home = None,
) -> None:
    """Refuse a token from now on; a running server does within a second."""
    with _store(home_folder(home)) as store:
        store.revoke(name)
    say(f"Token '{name}' opens nothing any more.")


def _store(folder: Path) -> "TokenStore":
    from cvserve.settings import DATABASE_NAME  # `--help` needs none of this
    from cvserve.store.database import prepare_database
    from cvserve.store.tokens import TokenStore

    path = folder / DATABASE_NAME
    prepare_database(path)
    return TokenStore(path)


def _print_table(tokens: "list[Token]") -> None:
    from cvserve.commands.terminal.table import Column, Row, print_table
    from cvserve.timestamps import format_timestamp

    columns = (
        Column("name"),
        Column("begins with", spare=1),
        Column("scopes"),
        Column("made", spare=3),
        Column("expires"),
        Column("last used", spare=2),
        Column("state"),
    )
    rows = []
    for token in tokens:
        state = "revoked" if token.revoked_at else "valid" if token.is_valid(format_timestamp()) else "expired"
        cells = (token.name, f"{token.prefix}…", ", ".join(sorted(token.scopes)), token.created_at[:10])
        used = (token.last_used_at or "–")[:19].replace("T", " ")
        row = (*cells, (token.expires_at or "never")[:10], used, state)
        rows.append(Row(row, "" if state == "valid" else "dim"))
    print_table(columns, rows)


def _lifetime(text: str | None) -> timedelta | None:
    if text is None:
        return None
    from cvserve.values import seconds

    return timedelta(seconds=value_of("--expires", text, seconds))
