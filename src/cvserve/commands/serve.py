"""`cvserve serve`: every setting is an option, taken from the one table."""

import inspect
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvserve.settings import FIELDS, flag, shown_default

if TYPE_CHECKING:
    from cvserve.server.resources import Resources
    from cvserve.settings import Settings

_WEAK_TOKEN_CHARACTERS = 16


def _option(name: str) -> inspect.Parameter:
    """One option of `serve`: text as it was typed, so that flags, variables and files are read by one parser."""
    field = FIELDS[name]
    help_ = field.metadata["help"]
    if isinstance(field.default, bool):
        annotation: Any = Annotated[bool, typer.Option(flag(name), help=help_)]
        return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
    shown = shown_default(name)
    default = f" Default: {shown}" if shown else ""
    option = typer.Option(flag(name), help=help_ + default, metavar=name.rpartition("_")[2].upper(), show_default=False)
    annotation = Annotated[str | None, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def serve(**flags: Any) -> None:
    """Put the model on the network."""
    from cvserve.configuration import load_configuration  # `--help` needs none of this
    from cvserve.engine.choose_pool import pool_for
    from cvserve.engine.fork_server import THREAD_VARIABLES

    for name in THREAD_VARIABLES:  # also for `--workers 0`, where this process computes
        os.environ.setdefault(name, "1")

    configuration = load_configuration(flags)
    settings = configuration.settings
    if settings.token is not None and len(settings.token) < _WEAK_TOKEN_CHARACTERS:
        _say(f"The token of CVSERVE_TOKEN has only {len(settings.token)} characters; 16 or more are hard to guess.")
    _ask_trust(settings)
    pool = pool_for(settings)  # loads the model beside what comes
    try:
        from cvserve.server.run import run_server
    except BaseException:
        pool.kill()
        raise
    raise typer.Exit(run_server(settings, pool, announce))


def _ask_trust(settings: "Settings") -> None:
    """On a terminal, ask whether the model's file is trusted, before another process is to load it."""
    if settings.model is None or settings.model_is_code or settings.model_sha256 is not None:
        return
    if sys.stdin.isatty():
        from cvserve.commands.model.app import ask_trust  # most models need no question

        ask_trust(settings.model)


_parameters = [_option(name) for name, field in FIELDS.items() if field.metadata["flag"]]
serve.__signature__ = inspect.Signature(_parameters)  # type: ignore[attr-defined]
serve.__annotations__ = {parameter.name: parameter.annotation for parameter in _parameters}


def announce(url: str, resources: "Resources") -> None:
    """Tell what is served where, and show the first token, once; in one piece, whoever else writes meanwhile."""
    engine, settings = resources.engine, resources.settings
    info = engine.info
    lines = [f"cvserve serves {info.name} {info.version} on {url}  (Ctrl-C stops it)"]
    if engine.guessed:
        weights = f" --weights {settings.weights}" if settings.weights else ""
        check = f"cvserve model try {settings.model}{weights} img.jpg"
        lines.append(f"guessed: {', '.join(engine.guessed)} – check with: {check}")
    token = resources.make_first_token()
    if token is not None:
        lines.append(f"Your token, shown this once: {token}")
        lines.append(f'Try:  curl -H "Authorization: Bearer {token}" -F file=@img.jpg {url}/predict')
    elif settings.no_auth:
        lines.append(f"No token is asked. Try:  curl -F file=@img.jpg {url}/predict")
    _say("\n".join(lines))


def _say(text: str) -> None:
    typer.echo(text, err=True)
