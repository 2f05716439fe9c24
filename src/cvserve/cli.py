"""The command line: `cvserve serve | predict | history | token | model | config | health`."""

import sys
from typing import Annotated

import typer

from cvserve import __version__
from cvserve.commands.config import config
from cvserve.commands.health import health
from cvserve.commands.history import history_app
from cvserve.commands.model import model_app
from cvserve.commands.predict import predict
from cvserve.commands.serve import serve
from cvserve.commands.token import token_app
from cvserve.errors import CvserveError

app = typer.Typer(
    name="cvserve",
    help="Serve an image classifier: a token on every endpoint, every prediction in a database, "
    "every access in a log.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"cvserve {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and end.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Serve an image classifier: a token on every endpoint, every prediction in a database, every access in a log."""


app.command()(serve)
app.command()(predict)
app.add_typer(history_app, name="history")
app.add_typer(token_app, name="token")
app.add_typer(model_app, name="model")
app.command()(config)
app.command()(health)


def main() -> None:
    """The console script: one sentence and an exit code for what a user did wrong, never a traceback."""
    try:
        app()
    except CvserveError as error:
        sys.stderr.write(f"cvserve: {error}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # `cvserve history | head`: the reader has enough.
        sys.stderr.close()
        sys.exit(0)
