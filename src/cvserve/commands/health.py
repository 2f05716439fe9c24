"""`cvserve health`: asks a server whether it is ready; for containers, which have no curl."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from cvserve.commands.terminal.options import value_of
from cvserve.commands.terminal.output import say
from cvserve.errors import InvalidSetting

if TYPE_CHECKING:
    from cvserve.settings import Settings

_MAX_ANSWER_BYTES = 65_536


def health(
    url: Annotated[
        str | None, typer.Option("--url", help="Where the server is. Default: as serve would listen here.")
    ] = None,
    timeout: Annotated[str, typer.Option("--timeout", help="How long to wait.", metavar="TIME")] = "3s",
) -> None:
    """Ask /readyz: exit 0 when a prediction would work now, else 1."""
    from cvserve.configuration import load_configuration
    from cvserve.values import seconds

    timeout_s = value_of("--timeout", timeout, seconds)
    settings = load_configuration().settings
    url = url or _own_url(settings)
    if not url.startswith(("http://", "https://")):
        raise InvalidSetting(f"--url is '{url}'; give one such as http://127.0.0.1:8000.")
    status, word = _ask(f"{url.rstrip('/')}/readyz", settings, timeout_s)
    if status is None:
        say(f"cvserve: Nobody answers at {url}; is the server running?")
    elif status in (401, 403):
        say(f"cvserve: {url} answers, but asks for a token: set CVSERVE_TOKEN, or serve with --public-health.")
    elif status == 503:
        typer.echo(word or "not_ready")
    elif word is None:
        say(f"cvserve: What answers at {url} is not cvserve.")
    else:
        typer.echo(word)
    raise typer.Exit(0 if status == 200 and word else 1)


def _own_url(settings: "Settings") -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{'https' if settings.ssl_certfile else 'http'}://{host}:{settings.port}{settings.root_path}"


def _ask(url: str, settings: "Settings", timeout_s: float) -> tuple[int | None, str | None]:
    """Status and the word of the answer; no status when nobody answers, no word when it is not one of ours."""
    import http.client  # `--help` needs none of this
    import ssl
    import urllib.error
    import urllib.request

    # A proxy of the environment stands between this machine and the world, not before the server next door.
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    try:
        if settings.ssl_certfile is not None:
            # Our own certificate may be signed by nobody, and is made out to the name that others call us by.
            context = ssl.create_default_context(cafile=str(settings.ssl_certfile))
            context.check_hostname = False
            handlers.append(urllib.request.HTTPSHandler(context=context))
        opener = urllib.request.build_opener(*handlers)
        request = urllib.request.Request(url)  # noqa: S310 - the scheme was checked
        if settings.token:
            request.add_header("Authorization", f"Bearer {settings.token}")
        try:
            with opener.open(request, timeout=timeout_s) as answer:
                return answer.status, _word(answer.read(_MAX_ANSWER_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _word(error.read(_MAX_ANSWER_BYTES))
    except (OSError, http.client.HTTPException, ValueError):
        return None, None


def _word(body: bytes) -> str | None:
    """The member `status` of a health answer: `ready`, or why not."""
    try:
        word = json.loads(body)["status"]
    except (ValueError, KeyError, TypeError):
        return None
    return word if isinstance(word, str) else None
