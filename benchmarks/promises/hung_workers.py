"""Promise 21: what hangs is found and replaced."""

import os
import signal
import threading
import time

from promises.harness import Client, Outcome, Promise, Target, main, served
from support.pictures import grey
from support.process import fork_servers_of, workers_of

PROMISE = Promise(
    21,
    "A worker or the fork server that hangs is found and replaced; good pictures are not blamed for it.",
    "SIGSTOP of an idle worker, of a worker that is asked, and of the fork server whose worker is killed; seconds "
    "until a picture is answered with 200, with predict_timeout 4 s",
)
_BARS_S = {"idle worker": 12.0, "asked worker": 8.0, "fork server": 20.0}
_GIVE_UP_S = 40


def measure(target: Target) -> Outcome:
    """One after the other, on one server each."""
    figures: dict[str, object] = {}
    holds = True
    for name, bar_s in _BARS_S.items():
        with served(target, "--workers", "1", "--predict-timeout", "4s", home=name.replace(" ", "-")) as server:
            (worker,), (maker,) = workers_of(server.process.pid), fork_servers_of(server.process.pid)
            ask(server.url)
            stopped = maker if name == "fork server" else worker
            os.kill(stopped, signal.SIGSTOP)
            if name == "fork server":
                os.kill(worker, signal.SIGKILL)
            begin, pause, statuses = time.monotonic(), threading.Event(), [0]
            if name == "idle worker":
                while worker in workers_of(server.process.pid) and time.monotonic() < begin + _GIVE_UP_S:
                    pause.wait(0.05)
            while statuses[-1] != 200 and time.monotonic() < begin + _GIVE_UP_S:
                statuses.append(ask(server.url))
            took_s = time.monotonic() - begin
            if statuses[-1] != 200:
                os.kill(stopped, signal.SIGCONT)
        figures[name] = f"{took_s:.1f} s" if statuses[-1] == 200 else f"not within {_GIVE_UP_S} s: {statuses[-1]}"
        holds = holds and statuses[-1] == 200 and took_s <= bar_s and 422 not in statuses
    return Outcome(figures, holds)


def ask(url: str) -> int:
    """The status of a good picture, on a connection of its own."""
    client = Client(url, timeout_s=60)
    try:
        return client.predict(grey(0))[0]
    finally:
        client.close()


if __name__ == "__main__":
    main(PROMISE, measure)
