"""The command line: `cvserve serve | predict | history | token | model | loadtest | config | health`."""

import os
import sys
import warnings
from typing import Annotated, Any

import typer

from cvserve import __version__
from cvserve.commands.config.app import config_app
from cvserve.commands.health.command import health
from cvserve.commands.history.app import history_app
from cvserve.commands.loadtest.command import loadtest
from cvserve.commands.model.app import model_app
from cvserve.commands.predict.command import predict
from cvserve.commands.serve.command import serve
from cvserve.commands.terminal.output import say, say_cause
from cvserve.commands.terminal.plain import PlainCommand, PlainGroup
from cvserve.commands.token.app import token_app
from cvserve.errors import CvserveError

app = typer.Typer(
    name="cvserve",
    cls=PlainGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help: Rich's boxes take longer to load than all the rest.
    rich_markup_mode=None,
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


app.command(cls=PlainCommand)(serve)
app.command(cls=PlainCommand)(predict)
app.add_typer(history_app, name="history")
app.add_typer(token_app, name="token")
app.add_typer(model_app, name="model", cls=PlainGroup)
app.command(cls=PlainCommand)(loadtest)
app.add_typer(config_app, name="config")
app.command(cls=PlainCommand)(health)


def main() -> None:
    """The console script: one sentence and an exit code for what a user did wrong, never a traceback."""
    warnings.showwarning = _show_warning
    for stream in (sys.stdout, sys.stderr):
        # A file name may hold bytes that are no text, and a terminal may know few characters.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(_run())


def _run() -> Any:
    try:
        code = _exit_code()
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # `cvserve history | head`: the reader has enough. Python must not try again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())  # type: ignore[union-attr]
        return 0


def _exit_code() -> Any:
    try:
        app()
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):
            raise end.__context__ from None  # Typer would end with 1
        return end.code
    except KeyboardInterrupt:
        return 130
    except CvserveError as error:
        first, *more = str(error).splitlines() or [""]
        say(f"cvserve: {first}")
        for line in more:
            say(line)
        say_cause(error)
        return error.exit_code
    return 0


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    say(f"cvserve: warning: {message}")
