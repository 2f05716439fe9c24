"""The server that is tested: where it is, whether it may be loaded, and whether it answers as it should."""

import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cvserve.errors import CannotStart, ImageError, InvalidSetting, Unauthenticated, Unsafe
from cvserve.loadtest.client import Answer, Client
from cvserve.loadtest.pictures import Picture
from cvserve.values import is_loopback

_GREETING_S = 3.0
_MARK = {"X-Cvserve-Source": "loadtest"}


@dataclass(frozen=True)
class Target:
    """A server to load.

    Attributes:
        url: without a slash at its end.
        token: for every request; None: none.
        is_own: whether it was started for this test.
        home: its folder, when it is ours.
    """

    url: str
    token: str | None
    is_own: bool = False
    home: Path | None = None

    @property
    def is_here(self) -> bool:
        """Whether client and server share a machine, and so its cores."""
        return is_loopback(urlsplit(self.url).hostname or "")


@dataclass(frozen=True)
class Greeting:
    """What the first answers of a server showed.

    Attributes:
        model: `name` and `version` in the answers.
        latency_ms: of the last answer, while the server had nothing else to do.
        sees_metrics: whether the token opens `/metrics`.
    """

    model: dict[str, str]
    latency_ms: float
    sees_metrics: bool


def make_target(url: str, token: str | None, *, may_load: bool) -> Target:
    """Check the URL of a running server that somebody wants to load.

    Args:
        url: raw text; a slash or `/predict` at its end is dropped.
        token: for every request; None: the server asks for none.
        may_load: somebody confirmed that a server on another machine may be loaded.

    Raises:
        InvalidSetting: it is no URL of a server.
        Unsafe: it is on another machine, and nobody confirmed that it may be loaded.
    """
    url = url.rstrip("/").removesuffix("/predict")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username:
        raise InvalidSetting(f"'{url}' is no URL of a server; give one such as http://127.0.0.1:8000.")
    target = Target(url, token)
    if not target.is_here and not may_load:
        raise Unsafe(
            f"{parts.hostname} is not this machine; load only what is yours, and say so with --i-may-load-this-host."
        )
    return target


def greet(target: Target, pictures: list[Picture]) -> Greeting:
    """Send some pictures, one by one, before there is any load.

    Raises:
        CannotStart: nobody answers, or it is not cvserve, or not ready.
        Unauthenticated: the token is refused.
        ImageError: a picture is.
    """
    client = Client(target.url, target.token)
    begin = time.monotonic()
    for number, picture in enumerate(pictures):
        if number and time.monotonic() > begin + _GREETING_S:  # a slow model: some will do
            break
        headers = {**_MARK, "Content-Type": picture.kind}
        answer = client.ask("POST", "/predict", picture.path.read_bytes(), headers)
        _check(answer, target, picture)
    metrics = client.ask("GET", "/metrics").status == 200
    return Greeting(answer.json()["model"], answer.duration_ms, metrics)


def _check(answer: Answer, target: Target, picture: Picture) -> None:
    body = answer.json()
    detail = body.get("detail", "")
    if answer.status == 401:
        given = "refuses the token" if target.token else "asks for a token"
        raise Unauthenticated(f"{target.url} {given}: set CVSERVE_TOKEN, or give --token-file.")
    if answer.status == 403:
        raise Unauthenticated(f"The token for {target.url} lacks the scope 'predict'; take one that has it.")
    if answer.status in (415, 422) and detail:
        raise ImageError(f"{target.url} refuses the picture '{picture.path.name}': {detail} Choose others (--images).")
    if answer.status == 413:
        raise ImageError(f"{target.url} refuses the picture '{picture.path.name}': it is too large for its max_body.")
    if answer.status >= 500 and body.get("code"):
        raise CannotStart(f"{target.url} cannot predict now ({answer.status} {body['code']}): {detail}")
    if answer.status != 200 or "id" not in body or "model" not in body:
        raise CannotStart(f"What answers at {target.url} is not cvserve (status {answer.status}); check the URL.")
