"""Promise 1: what was answered with 200 is in the history, whatever was killed whenever."""

import contextlib
import os
import random
import signal
import threading

from promises.harness import Callers, Outcome, Promise, Target, main, read_ids
from support.process import ServerProcess, fork_servers_of, workers_of

PROMISE = Promise(
    1,
    "A prediction that was answered with 200 is in the history, also after kill -9 of any process at any moment.",
    "front, fork server, a worker, all workers or everything killed at a random moment under 6 clients, both "
    "durabilities; ids of the answers against the file",
)
_CLIENTS = 6


def measure(target: Target) -> Outcome:
    """Kill again and again; the front is always killed at the end of a round."""
    random.seed(1)
    acknowledged: list[int] = []
    rounds, damaged = target.count(40), 0
    for number in range(rounds):
        server = target.serve(target.home(), "--durability", random.choice(("full", "normal")))
        callers = Callers(server.url, _CLIENTS)
        callers.wait_for(random.randint(5, 150))
        threading.Event().wait(random.random() * 0.05)
        for pid in choose(server, number):
            kill(pid)
        if server.process.poll() is None:
            callers.wait_for(len(callers.statuses) + 20, 3)
        server.process.kill()
        server.ended()
        callers.stop()
        acknowledged += callers.ids
        ids, check = read_ids(target.home())
        damaged += check != "ok"
    missing, twice = len(set(acknowledged) - set(ids)), len(acknowledged) - len(set(acknowledged))
    unanswered = len(ids) - len(set(acknowledged))
    figures = {"kills": rounds, "acknowledged": len(acknowledged), "missing": missing, "twice": twice}
    figures |= {"stored without an answer": unanswered, "integrity_check failed": damaged}
    return Outcome(figures, not (missing or twice or damaged) and unanswered <= rounds * _CLIENTS)


def choose(server: ServerProcess, number: int) -> list[int]:
    """The processes that this round kills."""
    front = server.process.pid
    workers, makers = workers_of(front), fork_servers_of(front)
    return ([front], makers, workers[:1], workers, [front, *makers, *workers])[number % 5]


def kill(pid: int) -> None:
    """SIGKILL, whether the process is still there or not."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main(PROMISE, measure)
