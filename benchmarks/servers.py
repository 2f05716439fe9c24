"""Starting, watching and stopping one server, each in a temporary folder of its own."""

import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import environments
import load
import work

SERVER_CORE = "0"
START_S = 60
TOKEN = f"bench-{secrets.token_hex(16)}"


@dataclass(frozen=True)
class Server:
    """How a server is run.

    Attributes:
        key: short name in results.
        title: in tables.
        script: file in `peers/`; None: cvserve.
        environment: name of the peer's environment.
        options: further options of cvserve.
        variables: further variables of a peer.
        token_field: whether the token goes into the form.
        stores: whether it keeps rows and a log.
    """

    key: str
    title: str
    script: str | None = None
    environment: str = ""
    model: str = "linear"
    workers: int = 1
    options: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    token_field: bool = False
    stores: bool = True

    def command(self, port: int, home: Path) -> list[str]:
        """What is executed, in `home`."""
        if self.script is not None:
            return [str(environments.python_of(self.environment)), str(environments.LISTS / self.script)]
        chosen = [] if self.model == "builtin" else work.model_options(self.model)
        run = [str(Path(sys.executable).with_name("cvserve")), "serve", "--port", str(port), "--home", str(home)]
        return [*run, *chosen, "--workers", str(self.workers), *self.options]

    def environ(self, port: int) -> dict[str, str]:
        """Variables of the process."""
        given = work.quiet_threads()
        if self.script is None:
            # What is compiled is kept beside the models that it is made of.
            return {**given, "CVSERVE_TOKEN": TOKEN, "XDG_CACHE_HOME": str(work.FOLDER / "cache")}
        settings = {"PORT": str(port), "TOKEN": TOKEN, "WORKERS": str(self.workers), "BENTOML_DO_NOT_TRACK": "true"}
        model = {"MODEL": str(work.peer_model(self.model)), "PYTHONPATH": str(environments.LISTS)}
        return {**given, **settings, **model, **self.variables}


class Running:
    """A server that answers.

    Attributes:
        cold_start_s: seconds from exec to the first 200.
        good: 2xx that it has given to predictions.
        problem: what its database or log lacks of them, known once it has stopped.
    """

    def __init__(self, server: Server, home: Path, *, pinned: bool) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.server = server
        self.home = home
        self.good = 0
        self.problem: str | None = None
        self._first_id = self._newest_id()
        pin = ["taskset", "-c", SERVER_CORE] if pinned else []
        self._output = (home / "output-of-process.txt").open("wb")
        started = time.monotonic()
        self._process = subprocess.Popen(
            [*pin, *server.command(self.port, home)], cwd=home, env=server.environ(self.port),
            stdout=self._output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            self._wait(started + START_S)
        except BaseException:
            self.stop()
            raise
        self.cold_start_s = time.monotonic() - started

    @property
    def url(self) -> str:
        """Where pictures go."""
        return f"http://127.0.0.1:{self.port}/predict"

    def ask(self, picture: bytes, *, token: str = TOKEN) -> tuple[int, bytes]:
        """Status and body of one prediction.

        Raises:
            OSError, http.client.HTTPException: nobody answers.
        """
        line = f"--{load.BOUNDARY}\r\nContent-Disposition: form-data; name="
        body = f'{line}"token"\r\n\r\n{token}\r\n'.encode() if self.server.token_field else b""
        body += f'{line}"file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'.encode() + picture
        headers = {"Content-Type": f"multipart/form-data; boundary={load.BOUNDARY}"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", "/predict", body + f"\r\n--{load.BOUNDARY}--\r\n".encode(), headers)
            response = connection.getresponse()
            self.good += response.status < 300
            return response.status, response.read()
        finally:
            connection.close()

    def memory_mb(self) -> float:
        """PSS of the process and all below it, in 10^6 bytes."""
        total_kb = 0
        for pid in _tree(self._process.pid):
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
                total_kb += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
        return total_kb * 1024 / 1e6

    def stop(self) -> None:
        """Ask it to end; after 20 s end what is left of its session."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            print(f"{self.server.key} had to be killed", file=sys.stderr)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._output.close()

    def missing(self) -> str | None:
        """What the database or the log lacks of the good answers; after `stop`."""
        if not self.server.stores:
            return None
        counted = {"rows": self._rows(), "log lines": self._lines()}
        lacks = [f"{number} {what} for {self.good} answers" for what, number in counted.items() if number < self.good]
        return "; ".join(lacks) or None

    def _database(self) -> Path:
        return self.home / ("cvserve.db" if self.server.script is None else "history.db")

    def _query(self, sql: str) -> int:
        with contextlib.closing(sqlite3.connect(self._database())) as connection:
            return int(connection.execute(sql).fetchone()[0] or 0)

    def _newest_id(self) -> int:
        return self._query("SELECT max(id) FROM predictions") if self._database().exists() else 0

    def _rows(self) -> int:
        return self._query(f"SELECT count(*) FROM predictions WHERE id > {self._first_id}")

    def _lines(self) -> int:
        pattern = "output*.log" if self.server.script is None else "access.log"
        return sum(path.read_bytes().count(b"POST /predict") for path in self.home.glob(pattern))

    def _wait(self, deadline: float) -> None:
        picture = next(iter(sorted(work.pictures(work.SMALL).glob("*.jpg")))).read_bytes()
        said = ""
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                status, body = self.ask(picture)
            except (OSError, http.client.HTTPException) as error:
                said = repr(error)
            else:
                if status == 200:
                    json.loads(body)
                    return
                said = f"{status} {body[:200]!r}"
            time.sleep(0.01)
        printed = (self.home / "output-of-process.txt").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{self.server.key} does not answer ({said}):\n{printed}")


@contextlib.contextmanager
def running(server: Server, *, pinned: bool = True, home: Path | None = None) -> Iterator[Running]:
    """A server that answers; stopped at the end, its folder removed unless it was given."""
    with tempfile.TemporaryDirectory(prefix="cvserve-benchmark-") as folder:
        started = Running(server, home or Path(folder), pinned=pinned)
        try:
            yield started
        finally:
            started.stop()
            started.problem = started.missing()


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
    return found
