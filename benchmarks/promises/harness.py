"""What all scripts have in common: whose cvserve is measured, a server of it, clients, and one JSON object at the end.

    python -m promises.kills --python /path/to/python [--source /other/src] [--scale 0.1]

`PYTHONPATH` must name `benchmarks`, `tests` and `src`; `run.py` sees to that. Everything stays on 127.0.0.1.
"""

import argparse
import http.client
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from support.pictures import digit_photo
from support.process import ServerProcess

TOKEN = "a-token-for-promises-0123456789"
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR")


@dataclass(frozen=True)
class Target:
    """Whose cvserve is measured.

    Attributes:
        python: an interpreter.
        source: a folder that goes before its own packages; None: what is installed there.
        scale: share of the full counts and times; below 1 for a quick look, which proves less.
        folder: for whatever a script makes; removed afterwards.
    """

    python: str
    source: str | None
    scale: float
    folder: Path

    def count(self, full: int, least: int = 1) -> int:
        """So many of `full`, at this scale."""
        return max(least, round(full * self.scale))

    def environment(self, **more: str) -> dict[str, str]:
        """That of a user who has set nothing."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        kept |= {"XDG_CONFIG_HOME": str(self.folder / "config"), "XDG_CACHE_HOME": str(self.folder / "cache")}
        return kept | ({"PYTHONPATH": self.source} if self.source else {}) | more

    def home(self, name: str = "home") -> Path:
        """A folder for a server, made when it is not there."""
        path = self.folder / name
        path.mkdir(exist_ok=True)
        return path

    def serve(self, home: Path, *options: str, before: tuple[str, ...] = (), **environment: str) -> ServerProcess:
        """Start `cvserve serve` with the fixed token, and wait until it answers."""
        if "--no-auth" not in options:
            environment.setdefault("CVSERVE_TOKEN", TOKEN)
        cleared = [f"-u{name}" for name in os.environ if name.startswith("CVSERVE_") or name == "PYTHONPATH"]
        given = [f"{name}={value}" for name, value in self.environment(**environment).items()]
        wrapper = (*before, "env", *cleared, *given)
        return ServerProcess(home, *options, wrapper=wrapper, python=self.python, **environment)

    def run(self, home: Path, *arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Run another command of cvserve to its end."""
        command = [self.python, "-m", "cvserve", *arguments]
        environment = self.environment()
        return subprocess.run(
            command, cwd=home, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def make_token(self, home: Path, name: str, scopes: str = "predict") -> str:
        """A new token of the folder."""
        said = self.run(home, "token", "new", name, "--scope", scopes)
        words = (said.stdout + said.stderr).split()
        return next(word for word in words if word.startswith("cvs_"))


@dataclass
class Outcome:
    """What was measured.

    Attributes:
        figures: by name.
        holds: whether the promise held; None when it could not be measured here.
        why: what broke it, or why it could not be measured.
    """

    figures: dict[str, Any] = field(default_factory=dict)
    holds: bool | None = None
    why: str = ""


@dataclass(frozen=True)
class Promise:
    """One of docs/promises.md.

    Attributes:
        number: of the table.
        text: what is promised.
        method: how it is measured, in a few words.
    """

    number: int
    text: str
    method: str


def main(promise: Promise, measure: Callable[[Target], Outcome]) -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=promise.text)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--source")
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="cvserve-promise-"))
    begin = time.monotonic()
    try:
        outcome = measure(Target(options.python, options.source, options.scale, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    said = {"number": promise.number, "promise": promise.text, "method": promise.method, "scale": options.scale}
    said |= {"figures": outcome.figures, "holds": outcome.holds, "why": outcome.why}
    print(json.dumps(said | {"took_s": round(time.monotonic() - begin, 1)}))


class Client:
    """One connection that is kept open."""

    def __init__(self, url: str, token: str | None = TOKEN, timeout_s: float = 30.0) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=timeout_s)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(
        self, method: str, target: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, Any]:
        """Send a request; status, body and headers of its answer."""
        self._connection.request(method, target, body, self._headers | (headers or {}))
        answer = self._connection.getresponse()
        return answer.status, answer.read(), answer.headers

    def predict(self, picture: bytes) -> tuple[int, int | None]:
        """Status and id."""
        status, body, _ = self.ask("POST", "/predict", picture, {"Content-Type": "application/octet-stream"})
        return status, json.loads(body)["id"] if status == 200 else None

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


class Callers:
    """Threads that predict again and again, each on a connection of its own, until they are told or nobody answers.

    Attributes:
        ids: that were acknowledged.
        statuses: of all answers, with the milliseconds that each took.
        broken: how many requests got no answer.
    """

    def __init__(self, url: str, count: int, picture: bytes | None = None) -> None:
        self._url, self._picture = url, picture or digit_photo("4")
        self.ids: list[int] = []
        self.statuses: list[tuple[int, float]] = []
        self.broken = 0
        self._stop = threading.Event()
        self._some = threading.Condition()
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, answers: int, timeout_s: float = 60) -> None:
        """Return when so many were answered, or nobody calls any more."""
        with self._some:
            self._some.wait_for(lambda: len(self.statuses) >= answers or self.broken >= len(self._threads), timeout_s)

    def stop(self) -> None:
        """Wait for the answers that are on their way."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _call(self) -> None:
        client = Client(self._url)
        while not self._stop.is_set():
            begin = time.perf_counter()
            try:
                status, id_ = client.predict(self._picture)
            except (OSError, http.client.HTTPException, ValueError):
                with self._some:
                    self.broken += 1
                    self._some.notify_all()
                return
            with self._some:
                self.statuses.append((status, (time.perf_counter() - begin) * 1000))
                if id_ is not None:
                    self.ids.append(id_)
                self._some.notify_all()
        client.close()


def read_ids(home: Path) -> tuple[list[int], str]:
    """All ids of a history, and what `integrity_check` says, from a copy of its files."""
    copy = home.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for path in home.glob("cvserve.db*"):
        shutil.copy(path, copy)
    database = sqlite3.connect(copy / "cvserve.db")
    try:
        (check,) = database.execute("PRAGMA integrity_check").fetchone()
        return [row[0] for row in database.execute("SELECT id FROM predictions ORDER BY id")], str(check)
    finally:
        database.close()


def percentile(values: list[float], share: float) -> float:
    """By rank; 0 of nothing."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else 0.0


def memory_mib(pid: int, name: str = "VmRSS") -> float:
    """Memory of a process now, or its highest (`VmHWM`)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


@contextmanager
def served(
    target: Target, *options: str, home: str = "home", before: tuple[str, ...] = (), **environment: str
) -> Iterator[ServerProcess]:
    """A server that is stopped at the end, also when it does not want to."""
    server = target.serve(target.home(home), *options, before=before, **environment)
    try:
        yield server
    finally:
        try:
            server.stop()
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.ended()
