"""From a token to an actor. The table of tokens is held in memory and read again before it is a second old."""

import asyncio
import hmac
import math
import time
from concurrent.futures import Executor

from cvserve.server.actor import Actor
from cvserve.server.context import Scope
from cvserve.server.credentials import make_refusal, read_token
from cvserve.store.tokens import ANONYMOUS_NAME, ENVIRONMENT_NAME, SCOPES, Token, TokenStore, compute_digest
from cvserve.timestamps import format_timestamp

# A token revoked by any process is refused within a second: what was read is used for 0.3 s, then read again
# beside the requests, and a request that would have to trust something older than 0.9 s waits for the reading.
_FRESH_S = 0.3
_STALE_S = 0.9
_MIN_REREAD_S = 0.05


class Authenticator:
    """Finds the holder of the token that a request carries.

    Args:
        store: the table of tokens; read in `executor`, never on the event loop.
        executor: one thread is enough.
        fixed_token: the token of `CVSERVE_TOKEN`, which has all scopes; None when there is none.
        no_auth: no token is asked for; everybody is `anonymous` and has all scopes.
    """

    def __init__(
        self, store: TokenStore, executor: Executor, *, fixed_token: str | None = None, no_auth: bool = False
    ) -> None:
        self._store = store
        self._executor = executor
        self._anonymous = self._make_stand_in(ANONYMOUS_NAME) if no_auth else None
        self._fixed: dict[str, Actor] = {}
        if fixed_token is not None:
            self._fixed[compute_digest(fixed_token)] = self._make_stand_in(ENVIRONMENT_NAME)
        self._reading: asyncio.Task[None] | None = None
        self._latest_time = ""
        self._read()

    async def authenticate(self, scope: Scope) -> Actor:
        """Return the actor of a request.

        Raises:
            Unauthenticated: no token, or one that is unknown, revoked or expired.
            HistoryError: the table cannot be read, so that no token can be checked.
        """
        digest, actor = self._read_credentials(scope)
        if actor is not None:
            return actor
        await self._refresh_if_stale()
        if digest not in self._known:
            await self._reread_for_unknown()
        return self._find_holder(digest)

    def find_actor(self, scope: Scope) -> Actor | None:
        """Return the actor of a request if that is known without waiting, else None.

        Raises:
            Unauthenticated: as `authenticate`.
        """
        digest, actor = self._read_credentials(scope)
        if actor is not None:
            return actor
        age_s = time.monotonic() - self._read_at
        if age_s >= (_FRESH_S if digest in self._known else _MIN_REREAD_S):
            return None
        return self._find_holder(digest)

    def forget(self) -> None:
        """Read the table again before the next request: this process has changed it."""
        self._read_at = -math.inf

    def _read_credentials(self, scope: Scope) -> tuple[str, Actor | None]:
        """Return the digest of a request's token, and its actor where the settings name one, without the table."""
        if self._anonymous is not None:
            return "", self._anonymous
        digest = compute_digest(read_token(scope))
        return digest, self._fixed.get(digest)

    async def _refresh_if_stale(self) -> None:
        age_s = time.monotonic() - self._read_at
        if age_s < _FRESH_S:
            return
        reading = self._begin_reading()
        if age_s >= _STALE_S:
            await asyncio.shield(reading)
        else:
            # A request that waits for the reading sees its error; this one still uses what was read a moment ago.
            reading.add_done_callback(_retrieve_error)

    async def _reread_for_unknown(self) -> None:
        """Read the table for an unknown token, which may be new; at most every 50 ms, as strangers can ask too."""
        if time.monotonic() - self._read_at >= _MIN_REREAD_S:
            await asyncio.shield(self._begin_reading())

    def _find_holder(self, digest: str) -> Actor:
        """Find who holds a token, in what was read.

        Raises:
            Unauthenticated: nobody, or it has expired.
        """
        known = self._known.get(digest)
        if known is None or not hmac.compare_digest(known[0].digest or "", digest):
            raise make_refusal()
        token, actor = known
        if token.expires_at is not None and not token.is_valid(self._now()):
            raise make_refusal()
        return actor

    def _begin_reading(self) -> "asyncio.Task[None]":
        """Return the reading that runs, or begin one: all requests that wait share it."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self._read_again())
        return self._reading

    async def _read_again(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._executor, self._read)

    def _read(self) -> None:
        begin = time.monotonic()
        alive = [token for token in self._store.list_tokens() if token.revoked_at is None]
        # One assignment: this runs in a thread beside the requests, which must never see half of it.
        self._known: dict[str, tuple[Token, Actor]] = {
            token.digest: (token, Actor(token.name, token.id, token.scopes)) for token in alive if token.digest
        }
        # The age counts from before the reading: a revocation that came meanwhile may not be in it.
        self._read_at = begin

    def _make_stand_in(self, name: str) -> Actor:
        return Actor(name, self._store.find_stand_in(name), frozenset(SCOPES))

    def _now(self) -> str:
        """The wall clock, but never earlier than before: a token that has expired stays expired."""
        self._latest_time = max(self._latest_time, format_timestamp())
        return self._latest_time


def _retrieve_error(task: "asyncio.Task[None]") -> None:
    if not task.cancelled():
        task.exception()
