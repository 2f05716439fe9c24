"""From a token to an actor, with the table of tokens held in memory and read again before it is a second old."""

import asyncio
import hmac
import math
import time
from concurrent.futures import Executor

from cvserve.server.actor import Actor
from cvserve.server.context import Scope
from cvserve.server.credentials import refused, token_from
from cvserve.store.rows import format_timestamp
from cvserve.store.tokens import ANONYMOUS_NAME, ENVIRONMENT_NAME, SCOPES, Token, TokenStore, compute_digest

# A token revoked by any process is refused within a second: what was read is used for 0.3 s, then read again
# beside the requests, and a request that would have to trust something older than 0.9 s waits for the reading.
_FRESH_S = 0.3
_STALE_S = 0.9
_LOOK_AGAIN_S = 0.05


class Authenticator:
    """Tells who asks.

    Args:
        store: the table; read in `executor`, never on the event loop.
        executor: one thread is enough.
        fixed_token: the one of `CVSERVE_TOKEN`, with all scopes, or None.
        no_auth: everybody is `anonymous`, with all scopes.
    """

    def __init__(
        self, store: TokenStore, executor: Executor, *, fixed_token: str | None = None, no_auth: bool = False
    ) -> None:
        self._store = store
        self._executor = executor
        self._anonymous = self._stand_in(ANONYMOUS_NAME) if no_auth else None
        self._fixed: dict[str, Actor] = {}
        if fixed_token is not None:
            self._fixed[compute_digest(fixed_token)] = self._stand_in(ENVIRONMENT_NAME)
        self._reading: asyncio.Task[None] | None = None
        self._latest_time = ""
        self._read()

    async def authenticate(self, scope: Scope) -> Actor:
        """The actor of a request.

        Raises:
            Unauthenticated: no token, or one that opens nothing.
            HistoryError: the table cannot be read; nobody is let in on a guess.
        """
        if self._anonymous is not None:
            return self._anonymous
        digest = compute_digest(token_from(scope))
        if digest in self._fixed:
            return self._fixed[digest]
        await self._be_fresh()
        known = self._known.get(digest) or await self._look_again(digest)
        if known is None or not hmac.compare_digest(known[0].digest or "", digest):
            raise refused()
        token, actor = known
        if token.expires_at is not None and not token.is_valid(self._now()):
            raise refused()
        return actor

    def forget(self) -> None:
        """This process has changed the table itself: read it before anybody else is answered."""
        self._read_at = -math.inf

    async def _be_fresh(self) -> None:
        age_s = time.monotonic() - self._read_at
        if age_s < _FRESH_S:
            return
        reading = self._begin_reading()
        if age_s >= _STALE_S:
            await asyncio.shield(reading)
        else:
            # Whoever waits later sees the error; this request still trusts what was read a moment ago.
            reading.add_done_callback(_look_at_error)

    async def _look_again(self, digest: str) -> tuple[Token, Actor] | None:
        """A token that was made a moment ago works at once; strangers cannot make us read all the time."""
        if time.monotonic() - self._read_at >= _LOOK_AGAIN_S:
            await asyncio.shield(self._begin_reading())
        return self._known.get(digest)

    def _begin_reading(self) -> "asyncio.Task[None]":
        """One reading at a time, for all who wait for it."""
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

    def _stand_in(self, name: str) -> Actor:
        return Actor(name, self._store.find_stand_in(name), frozenset(SCOPES))

    def _now(self) -> str:
        """The wall clock, but never earlier than it was before: what expired stays expired."""
        self._latest_time = max(self._latest_time, format_timestamp())
        return self._latest_time


def _look_at_error(task: "asyncio.Task[None]") -> None:
    if not task.cancelled():
        task.exception()
