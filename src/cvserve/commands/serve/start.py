"""A server from the command line: settings, trust, workers that begin to load, then everything else."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvserve.commands.loading.guesses import describe_guesses
from cvserve.commands.terminal.output import say
from cvserve.configuration import load_configuration
from cvserve.devices import computes_beside
from cvserve.engine.choose_pool import pool_for
from cvserve.engine.fork_server import THREAD_VARIABLES
from cvserve.settings import Settings
from cvserve.texts import list_some, replace_unprintable

if TYPE_CHECKING:
    from cvserve.server.resources import Resources
    from cvserve.store.tokens import Token

_WEAK_TOKEN_CHARACTERS = 16
_MAX_NAMES_SHOWN = 8


def start_server(flags: Mapping[str, Any]) -> int:
    """Serve until a signal.

    Args:
        flags: settings from the command line, raw.

    Returns:
        The exit code.

    Raises:
        CvserveError: a bad setting, a model that cannot be loaded, a port that is taken: whatever is wrong is said
            before the first request.
    """
    for name in THREAD_VARIABLES:  # also for `--workers 0`, where this process computes
        os.environ.setdefault(name, "1")
    settings = load_configuration(flags).settings
    if settings.token is not None and len(settings.token) < _WEAK_TOKEN_CHARACTERS:
        say(f"The token of CVSERVE_TOKEN has only {len(settings.token)} characters; 16 or more are hard to guess.")
    _ask_trust(settings)
    pool = pool_for(settings)
    try:
        # The pool's process loads the model meanwhile.
        from cvserve.server.run import run_server
    except BaseException:
        pool.kill()
        raise
    return run_server(settings, pool, announce)


def _ask_trust(settings: Settings) -> None:
    """On a terminal, ask whether the model's file is trusted, before another process is to load it."""
    if settings.model is not None and sys.stdin.isatty():
        # NumPy comes with it, and without a terminal there is nobody to ask.
        from cvserve.commands.loading.ask_trust import ask_trust, ask_trust_of_transform

        if not settings.model_is_code and settings.model_sha256 is None:
            ask_trust(settings.model)
        ask_trust_of_transform(settings)


def announce(url: str, resources: "Resources") -> None:
    """Tell what is served where, and show the first token, once; in one piece, whoever else writes meanwhile."""
    engine, settings = resources.engine, resources.settings
    info = engine.info
    device = f" (on {info.device})" if computes_beside(info.device) else ""
    lines = [f"cvserve serves {info.name} {info.version}{device} on {url}  (Ctrl-C stops it)"]
    if engine.guessed:
        lines.append(describe_guesses(engine.guessed, settings))
    token = resources.make_first_token()
    if token is not None:
        lines.append(f"Your token, shown this once: {token}")
        lines.append(f'Try:  curl -H "Authorization: Bearer {token}" -F file=@img.jpg {url}/predict')
    elif settings.no_auth:
        lines.append(f"No token is asked. Try:  curl -F file=@img.jpg {url}/predict")
    lines += _describe_tokens(resources.find_unknown_tokens(), settings, can_remember=resources.can_remember_tokens())
    sys.stderr.write("".join(f"{replace_unprintable(line)}\n" for line in lines))


def _describe_tokens(tokens: "Sequence[Token]", settings: Settings, *, can_remember: bool) -> list[str]:
    """A line about tokens that may have come with the database, until its user has looked at them; none without any.

    Args:
        tokens: that the user is not known to have made or looked at.
        settings: of the server.
        can_remember: whether what they look at can be remembered; else nobody knows what they have seen.
    """
    if not tokens:
        return []
    names = list_some([f"{token.name} ({', '.join(sorted(token.scopes))})" for token in tokens], _MAX_NAMES_SHOWN)
    what = "a token" if len(tokens) == 1 else f"{len(tokens)} tokens"
    if not can_remember:
        return [
            f"{settings.database_path.name} accepts {what}: {names}; which of them you know cannot be remembered here "
            "(XDG_STATE_HOME can name a folder for it, outside of this one)"
        ]
    home = [] if settings.home == Path() else ["--home", str(settings.home)]
    return [
        f"{settings.database_path.name} accepts {what} that you have not seen before: {names} "
        f"– look with: {shlex.join(['cvserve', 'token', 'list', *home])}"
    ]
