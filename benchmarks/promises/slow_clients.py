"""Promise 16: clients that are slow, or say nothing, take nothing from the others and are disconnected."""

import contextlib
import select
import socket
import threading
import time
from urllib.parse import urlsplit

from promises.harness import TOKEN, Callers, Client, Outcome, Promise, Target, main, percentile, served
from support.pictures import grey

PROMISE = Promise(
    16,
    "Slow or silent connections, in whatever state, are ended, and requests of others are answered meanwhile.",
    "connections that say nothing, trickle heads or bodies, owe a body after a 401, or read a byte a second; 2 good "
    "clients beside them; how many are open after a minute",
)
_WATCH_S = 60
_AUTH = f"Host: x\r\nAuthorization: {TOKEN}\r\n"
_HEAD = f"POST /predict HTTP/1.1\r\n{_AUTH}Content-Length: 16000000\r\n\r\n"
# What each kind sends first; all but the silent ones then send a byte a second.
KINDS = {
    "silent": "",
    "trickling heads": f"GET /livez HTTP/1.1\r\n{_AUTH}X: ",
    "trickling bodies": _HEAD,
    "bodies owed after a 401": "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 16000000\r\n\r\n",
    "slow readers": f"GET /predict HTTP/1.1\r\n{_AUTH}\r\n" * 60,
}


def measure(target: Target) -> Outcome:
    """All kinds at once."""
    each = target.count(150, 5)
    with served(target, "--workers", "1") as server:
        fill_history(server.url)
        slow = {kind: [SlowClient(server.url, kind) for _ in range(each)] for kind in KINDS}
        good = Callers(server.url, 2)
        begin, pause = time.monotonic(), threading.Event()
        while time.monotonic() < begin + _WATCH_S and any(client.is_open for kind in slow.values() for client in kind):
            for client in (client for kind in slow.values() for client in kind):
                client.go_on()
            pause.wait(1)
        good.stop()
        took_s = time.monotonic() - begin
        still = {kind: sum(client.is_open for client in clients) for kind, clients in slow.items()}
    fine = sum(status == 200 for status, _ in good.statuses)
    p99 = percentile([ms for _, ms in good.statuses], 0.99)
    figures: dict[str, object] = {
        "of each kind": each,
        "watched, s": round(took_s),
        "still open": {k: n for k, n in still.items() if n} or 0,
    }
    figures |= {"good requests": f"{fine} of {len(good.statuses) + good.broken}", "their p99, ms": p99}
    return Outcome(figures, not any(still.values()) and fine == len(good.statuses) and not good.broken)


class SlowClient:
    """One connection that is in no hurry."""

    def __init__(self, url: str, kind: str) -> None:
        address = urlsplit(url)
        self._kind = kind
        self.is_open = True
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self._socket.settimeout(10)
        self._socket.connect((address.hostname, address.port))
        self._socket.sendall(KINDS[kind].encode())
        self._socket.setblocking(False)
        self._ended = select.poll()
        self._ended.register(self._socket, select.POLLRDHUP)

    def go_on(self) -> None:
        """Send a byte or read one; notice the end."""
        if not self.is_open:
            return
        if self._ended.poll(0):  # also with bytes that wait to be read
            self.is_open = False
        try:
            with contextlib.suppress(BlockingIOError):
                if self._kind not in ("silent", "slow readers"):
                    self._socket.send(b"x")
            with contextlib.suppress(BlockingIOError):
                if self._socket.recv(1 if self._kind == "slow readers" else 4_096) == b"":
                    self.is_open = False
        except OSError:
            self.is_open = False
        if not self.is_open:
            self._socket.close()


def fill_history(url: str) -> None:
    """Rows enough that a full list does not fit into the kernel's buffers."""
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + grey(0) + b"\r\n"
    client, kind = Client(url), {"Content-Type": "multipart/form-data; boundary=b"}
    for _ in range(10):
        client.ask("POST", "/predict/batch", part * 64 + b"--b--\r\n", kind)
    client.close()


if __name__ == "__main__":
    main(PROMISE, measure)
