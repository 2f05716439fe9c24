"""Promise 22: when the front is killed, its processes end with it and the next start works."""

import os
import random
import threading
import time

from promises.harness import Callers, Outcome, Promise, Target, main
from support.process import fork_servers_of, workers_of

PROMISE = Promise(
    22,
    "When the front process is killed, all its processes are gone and its port is free within 5 s; it starts again.",
    "kill -9 of the front under load, every second time with a stopped worker; the next server on the same port",
)


def measure(target: Target) -> Outcome:
    """Kill and start again, always on the same port."""
    random.seed(1)
    gone_s, starts_s, port = [], [], "0"
    rounds = target.count(15)
    for number in range(rounds):
        begin = time.monotonic()
        server = target.serve(target.home(), "--workers", "2", "--port", port)
        starts_s.append(time.monotonic() - begin)
        port = server.url.rpartition(":")[2]
        callers = Callers(server.url, 3)
        callers.wait_for(random.randint(3, 60))
        left = [*fork_servers_of(server.process.pid), *workers_of(server.process.pid)]
        if number % 2:
            os.kill(left[-1], 19)
        begin, pause = time.monotonic(), threading.Event()
        server.process.kill()
        while any(os.path.exists(f"/proc/{pid}") for pid in left) and time.monotonic() < begin + 20:
            pause.wait(0.01)
        gone_s.append(time.monotonic() - begin)
        server.ended()
        callers.stop()
    figures = {"kills": rounds, "starts": len(starts_s), "gone after, s": round(max(gone_s), 2)}
    figures |= {"slowest start, s": round(max(starts_s), 2)}
    return Outcome(figures, max(gone_s) <= 5 and len(starts_s) == rounds)


if __name__ == "__main__":
    main(PROMISE, measure)
