"""`cvserve token new | list | revoke`: names, options and help; what they do is in `tokens.py`."""

from datetime import timedelta
from typing import Annotated

import typer

from cvserve.commands.terminal.options import AsJson, AsNl, Home, parse_option
from cvserve.commands.terminal.output import choose_format
from cvserve.commands.terminal.plain import PlainCommand, PlainGroup
from cvserve.configuration import find_home
from cvserve.values import seconds

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
    from cvserve.commands.token.tokens import make_token  # `--help` needs no database

    lifetime = None if expires is None else timedelta(seconds=parse_option("--expires", expires, seconds))
    scopes = [word for entry in scope or ["predict"] for word in entry.split(",")]
    make_token(find_home(home), name, scopes, lifetime, as_json=as_json)


@token_app.command("list", cls=PlainCommand)
def list_(home: Home = None, as_json: AsJson = False, as_nl: AsNl = False) -> None:
    """All tokens there ever were; never their secrets."""
    from cvserve.commands.token.tokens import list_tokens

    list_tokens(find_home(home), choose_format(as_json=as_json, as_nl=as_nl))


@token_app.command("revoke", cls=PlainCommand)
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As in the list.", show_default=False)],
    home: Home = None,
) -> None:
    """Refuse a token from now on; a running server does within a second."""
    from cvserve.commands.token.tokens import revoke_token

    revoke_token(find_home(home), name)
