"""`cvserve health`: ask a server whether it is ready; for containers, which have no curl."""

import shlex
from dataclasses import replace
from typing import Annotated

import typer

from cvserve.commands.terminal.options import parse_option
from cvserve.commands.terminal.output import say
from cvserve.configuration import Configuration, load_configuration
from cvserve.errors import InvalidSetting, Unsafe
from cvserve.settings import variable
from cvserve.texts import replace_unprintable
from cvserve.values import is_loopback, seconds

_OF_CLIENTS = ("token", "token_file", "ssl_certfile", "ssl_keyfile")
_OF_ADDRESSES = ("host", "port", "root_path")


def health(
    url: Annotated[
        str | None, typer.Option("--url", help="Where the server is. Default: as serve would listen here.")
    ] = None,
    timeout: Annotated[str, typer.Option("--timeout", help="How long to wait.", metavar="TIME")] = "3s",
) -> None:
    """Ask /readyz: exit 0 when a prediction would work now, else 1."""
    from cvserve.commands.health.request import ask  # `--help` needs no HTTP client

    timeout_s = parse_option("--timeout", timeout, seconds)
    configuration = load_configuration(uses=_OF_CLIENTS if url else (*_OF_CLIENTS, *_OF_ADDRESSES))
    stranger = None if url else _find_stranger(configuration)
    url = url or _default_url(configuration)
    if not url.startswith(("http://", "https://")):
        raise InvalidSetting(f"--url is '{url}'; give one such as http://127.0.0.1:8000.")
    settings = configuration.settings
    if stranger:
        settings = replace(settings, token=None, token_file=None)
    status, word = ask(f"{url.rstrip('/')}/readyz", settings, timeout_s)
    if status is None:
        say(f"cvserve: Nobody answers at {url}; is the server running?")
    elif status in (401, 403) and stranger:
        say(f"cvserve: {url} asks for a token, and a file does not choose who is sent yours: {stranger}.")
    elif status in (401, 403):
        say(f"cvserve: {url} answers, but asks for a token: set CVSERVE_TOKEN, or serve with --public-health.")
    elif status == 503:
        typer.echo(replace_unprintable(word or "not_ready"))
    elif word is None:
        say(f"cvserve: What answers at {url} is not cvserve.")
    else:
        typer.echo(replace_unprintable(word))
    raise typer.Exit(0 if status == 200 and word else 1)


def _find_stranger(configuration: Configuration) -> str | None:
    """Words for a file that chooses where to ask although the token is not of that folder; None where there is none.

    On a machine of many, anybody may listen on the port that a stranger's folder names.

    Raises:
        Unsafe: the record of trust cannot be relied on.
    """
    source = "token_file" if configuration.origins["token"] == "token_file" else "token"  # noqa: S105 - names
    if configuration.settings.token is None or not configuration.is_of_user(source):
        return None
    for name in ("port", "host"):
        if not configuration.is_of_user(name):
            value, origin = getattr(configuration.settings, name), configuration.origins[name]
            return f"{name} is '{value}' ({origin}); say it by --url or {variable(name)} in the environment"
    return None


def _default_url(configuration: Configuration) -> str:
    """Where `serve` would listen with these settings, as a client on the same machine reaches it.

    Raises:
        Unsafe: a file names another machine; also one that is trusted may not choose who gets the token.
    """
    settings = configuration.settings
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    name = f"[{host}]" if ":" in host and not host.startswith("[") else host
    url = f"{'https' if settings.ssl_certfile else 'http'}://{name}:{settings.port}{settings.root_path}"
    if "host" in configuration.files and not is_loopback(host):
        raise Unsafe(
            f"host is '{host}' ({configuration.origins['host']}), and a file does not choose who is sent the token; "
            f"if it is yours, run: cvserve health --url {shlex.quote(url)}"
        )
    return url
