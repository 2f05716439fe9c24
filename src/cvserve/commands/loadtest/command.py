"""`cvserve loadtest`: how many requests a second a server holds. Options are in options.py, what happens in run.py."""

from typing import Any

import typer

from cvserve.commands.loadtest.options import make_signature, parse_options


def loadtest(url: str | None = None, **texts: Any) -> None:
    """How many requests a second a server holds: load by Locust, a verdict, and a report worth keeping."""
    options = parse_options(texts)
    from cvserve.commands.loadtest.run import run  # `--help` needs none of it

    raise typer.Exit(run(url, options))


_signature = make_signature()
loadtest.__signature__ = _signature  # type: ignore[attr-defined]
loadtest.__annotations__ = {name: entry.annotation for name, entry in _signature.parameters.items()}
