"""`cvserve health`: asks a server whether it is ready; for containers, which have no curl."""

import json
import os
from typing import Annotated

import typer

from cvserve.commands.output import say


def health(
    url: Annotated[
        str | None, typer.Option("--url", help="Where the server is. Default: as serve would listen here.")
    ] = None,
    timeout_s: Annotated[float, typer.Option("--timeout", help="Seconds to wait.")] = 3.0,
) -> None:
    """Ask /readyz: exit 0 when a prediction would work now, else 1."""
    import urllib.error  # `--help` needs none of this
    import urllib.request

    from cvserve.configuration import load_configuration
    from cvserve.errors import InvalidSetting

    settings = load_configuration().settings
    if url is None:
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104
        url = f"{'https' if settings.ssl_certfile else 'http'}://{host}:{settings.port}{settings.root_path}"
    if not url.startswith(("http://", "https://")):
        raise InvalidSetting(f"--url is '{url}'; give one such as http://127.0.0.1:8000.")
    request = urllib.request.Request(f"{url.rstrip('/')}/readyz")  # noqa: S310 - the scheme was checked
    token = settings.token or os.environ.get("CVSERVE_TOKEN")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
            typer.echo(json.loads(answer.read())["status"])
    except urllib.error.HTTPError as error:
        status = error.code
        error.close()
        if status in (401, 403):
            say(f"cvserve: {url} answers, but asks for a token: set CVSERVE_TOKEN, or serve with --public-health.")
            raise typer.Exit(1) from None
        typer.echo("not_ready")
        raise typer.Exit(1) from None
    except (OSError, ValueError):
        say(f"cvserve: Nobody answers at {url}; is the server running?")
        raise typer.Exit(1) from None
