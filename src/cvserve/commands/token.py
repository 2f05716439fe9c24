"""`cvserve token new | list | revoke`: who may call the server."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvserve.commands.options import AsJson, AsNl, Home, home_folder
from cvserve.commands.output import Format, chosen, console, print_json, say
from cvserve.errors import InvalidSetting

if TYPE_CHECKING:
    from cvserve.store.tokens import TokenStore

token_app = typer.Typer(help="Tokens: who may call the server.", no_args_is_help=True)
_SCOPES_HELP = "What it opens: predict, history, metrics, admin. May be given several times. Default: predict."


@token_app.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whom it is for.", show_default=False)],
    scope: Annotated[list[str] | None, typer.Option("--scope", help=_SCOPES_HELP, show_default=False)] = None,
    expires: Annotated[str | None, typer.Option("--expires", help="Lifetime, such as 90d. Default: none.")] = None,
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


@token_app.command("list")
def list_(home: Home = None, as_json: AsJson = False, as_nl: AsNl = False) -> None:
    """All tokens there ever were; never their secrets."""
    from cvserve.recording import history_exists

    form = chosen(as_json=as_json, as_nl=as_nl)
    folder = home_folder(home)
    tokens = []
    if history_exists(folder):
        with _store(folder) as store:
            tokens = store.all()
    if form is not Format.TABLE:
        print_json([token.to_dict() for token in tokens], form)
        return
    if not tokens:
        say("No tokens yet; make one with: cvserve token new NAME")
        return
    from rich.table import Table
    from rich.text import Text

    from cvserve.store.rows import timestamp

    table = Table(box=None, pad_edge=False)
    for title in ("name", "begins with", "scopes", "made", "expires", "last used", "state"):
        table.add_column(title)
    for token in tokens:
        state = "revoked" if token.revoked_at else "valid" if token.is_valid(timestamp()) else "expired"
        cells = (token.name, f"{token.prefix}…", ", ".join(sorted(token.scopes)), token.created_at[:10])
        more = ((token.expires_at or "never")[:10], (token.last_used_at or "–")[:19], state)
        table.add_row(*(Text(cell, style="" if state == "valid" else "dim") for cell in (*cells, *more)))
    console().print(table)


@token_app.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As in the list.", show_default=False)],
    home: Home = None,
) -> None:
    """Refuse a token from now on; a running server does within a second."""
    with _store(home_folder(home)) as store:
        store.revoke(name)
    say(f"Token '{name}' opens nothing any more.")


def _store(folder: Path) -> "TokenStore":
    from cvserve.store.database import prepare_database  # `--help` needs none of this
    from cvserve.store.tokens import TokenStore

    path = folder / "cvserve.db"
    prepare_database(path)
    return TokenStore(path)


def _lifetime(text: str | None) -> timedelta | None:
    if text is None:
        return None
    from cvserve.values import seconds

    try:
        return timedelta(seconds=seconds(text))
    except ValueError as error:
        raise InvalidSetting(f"--expires is '{text}': {error}.") from None
