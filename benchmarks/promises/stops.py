"""Promise 17: a stop loses no request."""

import http.client
import random
import socket
import threading
import time
from urllib.parse import urlsplit

from promises.harness import TOKEN, Client, Outcome, Promise, Target, main
from support.pictures import grey
from support.process import ServerProcess

PROMISE = Promise(
    17,
    "SIGTERM loses no request that was sent before it or within 2 s after it on an open connection; exit code 0.",
    "stops at random moments under 6 kept, 3 ever new and 5 silent connections, which ask after the signal; idle stop",
)
_ALLOWED_IDLE_S = 2.5
_ASK = f"GET /livez HTTP/1.1\r\nHost: x\r\nAuthorization: {TOKEN}\r\n\r\n".encode()


def measure(target: Target) -> Outcome:
    """Stop again and again."""
    random.seed(1)
    answered, codes, slowest = 0, [], 0.0
    failures: list[str] = []
    rounds = target.count(20)
    for _ in range(rounds):
        server = target.serve(target.home(), "--workers", "1")
        callers = [Caller(server.url, kept=index < 6, failures=failures) for index in range(9)]
        silent = [socket.create_connection(split(server.url)) for _ in range(5)]
        threading.Event().wait(0.2 + random.random() * 0.3)
        askers = [threading.Thread(target=ask_late, args=(one, random.random() * 1.5, failures)) for one in silent]
        took_s, code = stop(server, askers)
        for thread in [*askers, *(caller.thread for caller in callers)]:
            thread.join(40)
        answered += sum(caller.answered for caller in callers)
        codes.append(code)
        slowest = max(slowest, took_s)
    idle_s, code = stop(target.serve(target.home(), "--workers", "1"), [])
    figures = {"stops": rounds, "answered": answered, "failed": len(failures), "exit codes": sorted({*codes, code})}
    figures |= {"slowest stop, s": round(slowest, 2), "idle stop, s": round(idle_s, 2)}
    holds = not failures and set(codes) == {0} and code == 0 and idle_s <= _ALLOWED_IDLE_S
    return Outcome(figures, holds, ", ".join(sorted(set(failures))))


def stop(server: ServerProcess, askers: list[threading.Thread]) -> tuple[float, int]:
    """Send the signal and wait; seconds and exit code."""
    begin = time.monotonic()
    server.process.terminate()
    for asker in askers:
        asker.start()
    code = server.ended()
    return time.monotonic() - begin, code


class Caller:
    """Predicts until it is told that the connection ends, or nobody listens any more."""

    def __init__(self, url: str, *, kept: bool, failures: list[str]) -> None:
        self._url, self._kept, self._failures = url, kept, failures
        self.answered = 0
        self.thread = threading.Thread(target=self._call)
        self.thread.start()

    def _call(self) -> None:
        picture, client = grey(0), Client(self._url)
        while True:
            try:
                _, _, headers = client.ask("POST", "/predict", picture)
            except ConnectionRefusedError:
                return  # nobody listens: the request was never sent
            except (OSError, http.client.HTTPException):
                self._failures.append("a kept connection" if self._kept else "a new connection")
                return
            self.answered += 1
            if self._kept and headers.get("connection") == "close":
                return
            if not self._kept:
                client.close()
                client = Client(self._url)


def ask_late(connection: socket.socket, after_s: float, failures: list[str]) -> None:
    """Send the first request of a connection that was opened before the signal."""
    threading.Event().wait(after_s)
    try:
        connection.sendall(_ASK)
        if not connection.recv(12).startswith(b"HTTP/1.1 "):
            failures.append("a silent connection")
    except OSError:
        failures.append("a silent connection")
    finally:
        connection.close()


def split(url: str) -> tuple[str, int]:
    """Host and port."""
    address = urlsplit(url)
    return address.hostname or "", address.port or 0


if __name__ == "__main__":
    main(PROMISE, measure)
