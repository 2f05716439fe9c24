"""Load on a cvserve server, as `cvserve loadtest` makes it. It also runs by itself.

    CVSERVE_TOKEN=... locust -f locustfile.py --headless -u 16 -t 30s

The token comes from CVSERVE_TOKEN, or from the file that CVSERVE_TOKEN_FILE names.
"""

import os
import random
import time
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
from gevent.queue import Empty, Queue
from locust import FastHttpUser, constant, events, task

HOST = "http://127.0.0.1:8000"
IMAGES = ""  # a folder; empty: the pictures that come with cvserve
BODY = "multipart"  # or "raw": the picture itself
READS = 0.0  # share of requests that read the history, 0 to 1
RATE = 0.0  # requests due a second, whatever the server does; 0: each user sends when its last answer is there

SUFFIXES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
MARK = {"X-Cvserve-Source": "loadtest"}  # rows with this mark show in the history only when asked for
BOUNDARY = "cvserve-loadtest-boundary"
MAX_PICTURES_BYTES = 64 * 1024**2
PAUSE_AFTER_FAILURE_S = 0.1  # a server that refuses must not be hammered by a loop without a wait
LOOPBACK = ("localhost", "127.0.0.1", "::1")
LOOK_UP_S = 0.5
LIST = "/predict?limit=20&order=desc&source=loadtest"


def read_token() -> str:
    """Read the token; empty when neither variable is set."""
    named = os.environ.get("CVSERVE_TOKEN_FILE")
    return os.environ.get("CVSERVE_TOKEN") or (Path(named).read_text(encoding="utf-8").strip() if named else "")


def read_bodies() -> list[tuple[bytes, dict[str, str]]]:
    """Make body and headers of a request for each picture, once and not in every request."""
    folder: Any = Path(IMAGES) if IMAGES else files("cvserve") / "samples"
    found = sorted(folder.rglob("*") if IMAGES else folder.iterdir(), key=str)
    bodies: list[tuple[bytes, dict[str, str]]] = []
    total = 0
    for path in (path for path in found if Path(path.name).suffix.lower() in SUFFIXES and path.is_file()):
        picture, kind = path.read_bytes(), SUFFIXES[Path(path.name).suffix.lower()]
        total += len(picture)
        if total > MAX_PICTURES_BYTES and bodies:
            break
        bodies.append(encode_picture(picture, kind, path.name))
    return bodies


def encode_picture(picture: bytes, kind: str, name: str) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a request with one picture."""
    if BODY == "raw":
        return picture, {"Content-Type": kind}
    quoted = name.replace('"', "_")
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{quoted}"\r\nContent-Type: {kind}'
    body = head.encode("utf-8") + b"\r\n\r\n" + picture + f"\r\n--{BOUNDARY}--\r\n".encode("ascii")
    return body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


class Arrivals:
    """The clock of open load: evenly spaced moments at which requests are due, each for whichever user is free.

    A moment that no user was free for waits, and the latency of its request is counted from it: a server that
    stalls is not flattered by the requests that a waiting client did not send (coordinated omission).

    Attributes:
        in_flight: requests that were sent and have no answer yet.
    """

    def __init__(self) -> None:
        self._due: Queue[float | None] = Queue()
        self._pacer: gevent.Greenlet[..., Any] | None = None
        self.is_open = False
        self.in_flight = 0

    @property
    def waiting(self) -> int:
        """Moments that have passed without a user to send their request."""
        return self._due.qsize()

    def begin(self, rate: float, first: float | None = None) -> None:
        """Let `rate` requests be due a second from now on; 0: none.

        Args:
            rate: of this process.
            first: when the first one is due, by `time.perf_counter`; default: now.
        """
        self.end(0)
        self.is_open = True
        if rate:
            self._pacer = gevent.spawn(self._pace, 1 / rate, time.perf_counter() if first is None else first)

    def end(self, users: int) -> None:
        """Let no more requests be due, and wake as many `users` as may be waiting for one."""
        if self._pacer is not None:
            self._pacer.kill()
            self._pacer = None
        while not self._due.empty():
            self._due.get_nowait()
        self.is_open = False
        for _ in range(users):
            self._due.put(None)

    def take(self) -> float | None:
        """Wait for the next moment that is due; None after a while without one: the load may not be open any more."""
        try:
            return self._due.get(timeout=LOOK_UP_S)  # a user that is to stop must not wait for work
        except Empty:
            return None

    def _pace(self, gap_s: float, due: float) -> None:
        while True:
            ahead = due - time.perf_counter()
            if ahead > 0:
                gevent.sleep(ahead)
            while due <= time.perf_counter():
                self._due.put(due)
                due += gap_s


arrivals = Arrivals()
bodies = read_bodies()


@events.test_start.add_listener
def begin_arrivals(**_: Any) -> None:
    """Start open load where RATE asks for it."""
    if RATE:
        arrivals.begin(RATE)


class PredictUser(FastHttpUser):
    """Sends pictures, and reads what was predicted where `READS` says so."""

    host = HOST
    wait_time = constant(0)
    network_timeout = connection_timeout = 60.0
    concurrency = 1

    def __init__(self, environment: Any) -> None:
        # A certificate of this machine's own server is made out to the name that others use; any other is checked.
        self.insecure = urlsplit(environment.host or self.host).hostname in LOOPBACK
        super().__init__(environment)

    def on_start(self) -> None:
        """Prepare the headers of this user's requests."""
        token = read_token()
        self.headers = {**MARK, **({"Authorization": f"Bearer {token}"} if token else {})}
        self.last_id = 0
        self.turn = random.randrange(len(bodies))

    @task
    def ask(self) -> None:
        """Send one request: at once, or in open load when one is due."""
        due = arrivals.take() if arrivals.is_open else None
        if arrivals.is_open and due is None:
            return
        arrivals.in_flight += 1
        try:
            good = self.read(due) if READS and random.random() < READS else self.predict(due)
        finally:
            arrivals.in_flight -= 1
        if not good and due is None:
            gevent.sleep(PAUSE_AFTER_FAILURE_S)

    def predict(self, due: float | None) -> bool:
        """Send the next picture; whether it was answered well."""
        self.turn = (self.turn + 1) % len(bodies)
        body, kind = bodies[self.turn]
        return self.send("POST", "/predict", "/predict", due, body, kind)

    def read(self, due: float | None) -> bool:
        """Read the list of predictions or, half of the time, the last one of this user; whether that went well."""
        if self.last_id and random.random() < 0.5:
            return self.send("GET", f"/predict/{self.last_id}", "/predict/{id}", due)
        return self.send("GET", LIST, "/predict", due)

    def send(self, method: str, path: str, name: str, due: float | None, body: Any = None, kind: Any = None) -> bool:
        """Send a request; whether it was answered well. The latency of one that was due counts from that moment."""
        headers = {**self.headers, **(kind or {})}
        with self.client.request(
            method, path, name=name, data=body, headers=headers, catch_response=True, allow_redirects=False
        ) as response:
            if due is not None:
                response.request_meta["response_time"] = (time.perf_counter() - due) * 1000
            if not 200 <= response.status_code < 300:
                response.failure(describe_failure(response))
                return False
            if method == "POST" and READS:
                self.last_id = response.json()["id"]
            return True


def describe_failure(response: Any) -> str:
    """Say in few words why a request failed, so that equal failures are counted as one."""
    if not response.status_code:
        return f"no answer: {type(response.error).__name__}"
    try:
        return f"{response.status_code} {response.json()['code']}"
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code}"
