"""`cvserve serve`: every setting is an option, taken from the one table."""

import inspect
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvserve.settings import FIELDS, flag, shown_default

if TYPE_CHECKING:
    from cvserve.server.resources import Resources

_WEAK_TOKEN_CHARACTERS = 16
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


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
    # Read by the numeric libraries when they are loaded, which is below: each worker computes on one thread, and
    # libraries that add threads of their own to that only get in each other's way.
    for name in _THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
    from cvserve.commands.loading import load_for_command  # `--help` needs none of this
    from cvserve.configuration import load_configuration
    from cvserve.server.run import run_server

    configuration = load_configuration(flags)
    settings = configuration.settings
    if settings.token is not None and len(settings.token) < _WEAK_TOKEN_CHARACTERS:
        _say(f"The token of CVSERVE_TOKEN has only {len(settings.token)} characters; 16 or more are hard to guess.")
    predictor = load_for_command(settings)
    raise typer.Exit(run_server(settings, predictor, announce))


_parameters = [_option(name) for name, field in FIELDS.items() if field.metadata["flag"]]
serve.__signature__ = inspect.Signature(_parameters)  # type: ignore[attr-defined]
serve.__annotations__ = {parameter.name: parameter.annotation for parameter in _parameters}


def announce(url: str, resources: "Resources") -> None:
    """Tell what is served where, and show the first token, once; in one piece, whoever else writes meanwhile."""
    predictor, settings = resources.predictor, resources.settings
    info = predictor.info
    lines = [f"cvserve serves {info.name} {info.version} on {url}  (Ctrl-C stops it)"]
    guessed = getattr(getattr(predictor, "model", None), "guessed", ())
    if guessed:
        lines.append(f"guessed: {', '.join(guessed)} – check with: cvserve model try {settings.model} img.jpg")
    token = resources.make_first_token()
    if token is not None:
        lines.append(f"Your token, shown this once: {token}")
        lines.append(f'Try:  curl -H "Authorization: Bearer {token}" -F file=@img.jpg {url}/predict')
    elif settings.no_auth:
        lines.append(f"No token is asked. Try:  curl -F file=@img.jpg {url}/predict")
    _say("\n".join(lines))


def _say(text: str) -> None:
    typer.echo(text, err=True)
