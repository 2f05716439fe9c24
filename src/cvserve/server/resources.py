"""What a server holds while it runs. All of it is opened before the first request, so that faults show at the start."""

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cvserve.engine.engine import Engine
from cvserve.engine.protocols import WorkerPool
from cvserve.errors import CannotStart
from cvserve.logs.access import AccessLog
from cvserve.logs.secret_mask import SecretMask
from cvserve.server.auth import Authenticator
from cvserve.server.byte_budget import ByteBudget
from cvserve.server.forwarded import Proxies
from cvserve.server.host import HostRule
from cvserve.server.lifecycle import Lifecycle
from cvserve.server.metrics import Metrics
from cvserve.server.middleware.access_log import ContextMaker
from cvserve.server.rate_limit import RateLimiter
from cvserve.server.readers import Readers
from cvserve.server.recorder import Recorder
from cvserve.server.routes import HEALTH_PATHS
from cvserve.server.service import PredictionService
from cvserve.settings import Settings
from cvserve.store.database import prepare_database
from cvserve.store.known_tokens import can_remember, find_unknown, note_known
from cvserve.store.tokens import SCOPES, Token, TokenStore

FIRST_TOKEN_NAME = "first"  # noqa: S105 - the name of a token, not one


@dataclass
class Resources:
    """Everything that one server has open: opened by `open_resources`, started and closed by the app's lifespan.

    Attributes:
        folder_lock: file descriptor that keeps other servers out of the folder; -1 once it is released.
        open_paths: the exact paths that ask for no token.
        made_token: the one that `make_first_token` has made.
    """

    settings: Settings
    folder_lock: int
    mask: SecretMask
    access_log: AccessLog
    tokens: TokenStore
    token_executor: ThreadPoolExecutor
    authenticator: Authenticator
    readers: Readers
    recorder: Recorder
    engine: Engine
    service: PredictionService
    lifecycle: Lifecycle
    metrics: Metrics
    contexts: ContextMaker
    host_rule: HostRule
    open_paths: frozenset[str]
    budget: ByteBudget
    rate_limiter: RateLimiter | None
    made_token: Token | None = None

    def make_first_token(self) -> str | None:
        """A token with all scopes where there is none at all, to be shown once; None where there is one.

        To be called when the server answers: a token that a failed start made would never be seen by anybody.
        """
        if self.settings.token or self.settings.no_auth:
            return None
        with TokenStore(self.settings.database_path) as store:
            if store.list_tokens():
                return None
            secret, token = store.create(FIRST_TOKEN_NAME, SCOPES)
        note_known([token], self.settings.database_path)
        self.made_token = token
        self.authenticator.forget()
        return secret

    def find_unknown_tokens(self) -> list[Token]:
        """Tokens that open this server and that its user is not known to have made or looked at.

        The database may have come with them; what this start has made is not among them.

        Raises:
            HistoryError: the table cannot be read.
        """
        if self.settings.no_auth:
            return []
        with TokenStore(self.settings.database_path) as store:
            tokens = find_unknown(store.list_tokens(), self.settings.database_path)
        return [token for token in tokens if self.made_token is None or token.id != self.made_token.id]

    def can_remember_tokens(self) -> bool:
        """Whether tokens that the user is shown can be remembered for the next start."""
        return can_remember(self.settings.database_path)

    async def start(self) -> None:
        """Begin to write, and let the workers come.

        Raises:
            CvserveError: the model cannot answer.
        """
        self.recorder.start()
        await self.engine.start()

    async def close(self) -> None:
        """Finish what was accepted, then give everything back, in the reverse order."""
        self.lifecycle.is_draining = True
        await self.engine.close()
        self.release()

    def release(self) -> None:
        """Give everything back, also without having started; workers that still run are killed. May be called twice."""
        self.engine.kill()
        self.recorder.close()
        self.readers.close()
        self.token_executor.shutdown()
        self.tokens.close()
        self.access_log.close()
        if self.folder_lock >= 0:
            os.close(self.folder_lock)
            self.folder_lock = -1


def open_resources(settings: Settings, pool: WorkerPool) -> Resources:
    """Open everything that can fail: folder lock, access log, tokens, database.

    Args:
        settings: of this server.
        pool: its model is loaded.

    Raises:
        CvserveError: folder, database, log or tokens cannot be used.
    """
    prepare_database(settings.database_path)
    folder_lock = lock_folder(settings.home)
    mask = SecretMask((settings.token,) if settings.token else ())
    access_log = AccessLog(settings.log_path, settings.log_format, settings.log_keep, mask)
    tokens = TokenStore(settings.database_path)
    executor = ThreadPoolExecutor(1, thread_name_prefix="cvserve-tokens")
    metrics = Metrics(pool.info)
    engine = Engine(
        pool,
        max_queue=settings.max_queue,
        max_batch_size=settings.max_batch_size,
        predict_timeout=settings.predict_timeout,
        observer=metrics,
    )
    recorder = Recorder(settings.database_path, settings.durability)
    rate_limiter = None if settings.rate_limit is None else RateLimiter(settings.rate_limit)
    return Resources(
        settings=settings,
        folder_lock=folder_lock,
        mask=mask,
        access_log=access_log,
        tokens=tokens,
        token_executor=executor,
        authenticator=Authenticator(tokens, executor, fixed_token=settings.token, no_auth=settings.no_auth),
        readers=Readers(settings.database_path, recorder.guard, recorder.gate),
        recorder=recorder,
        engine=engine,
        service=PredictionService(engine, recorder, metrics, mask, rate_limiter),
        lifecycle=Lifecycle(),
        metrics=metrics,
        host_rule=HostRule.of(settings),
        open_paths=frozenset(HEALTH_PATHS if settings.public_health else ()),
        contexts=ContextMaker(mask, Proxies(settings.forwarded_allow_ips)),
        budget=ByteBudget(settings.max_queue_bytes),
        rate_limiter=rate_limiter,
    )


def lock_folder(home: Path) -> int:
    """The descriptor that holds the folder for one server; the kernel drops the lock with the process.

    Raises:
        CannotStart: another server runs in the folder.
    """
    descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pid = _find_holder(descriptor)
        os.close(descriptor)
        who = f" (process {pid})" if pid else ""
        raise CannotStart(f"A server runs in this folder already{who}; stop it, or use another --home.") from None
    return descriptor


def _find_holder(descriptor: int) -> str | None:
    """Look up the id of the process that holds the lock in Linux's table of locks; None where there is no table."""
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    inode = f":{os.fstat(descriptor).st_ino}"
    return next((words[4] for words in map(str.split, lines) if "FLOCK" in words and words[5].endswith(inode)), None)
