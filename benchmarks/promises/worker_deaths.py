"""Promise 20: a worker that dies costs nobody an answer."""

import os
import random
import signal
import threading
import time

from promises.harness import Callers, Outcome, Promise, Target, main, served
from support.process import workers_of

PROMISE = Promise(
    20,
    "A worker that dies is replaced, and what it held is tried again: no good picture gets an error.",
    "SIGKILL of a random worker again and again under 6 clients; statuses, and how long a worker is missing",
)


def measure(target: Target) -> Outcome:
    """Kill, wait for the next worker, go on."""
    random.seed(1)
    missing_s: list[float] = []
    with served(target, "--workers", "2") as server:
        callers = Callers(server.url, 6)
        for _ in range(target.count(60)):
            callers.wait_for(len(callers.statuses) + random.randint(1, 40))
            before = workers_of(server.process.pid)
            os.kill(random.choice(before), signal.SIGKILL)
            begin, pause = time.monotonic(), threading.Event()
            while len(set(workers_of(server.process.pid)) - set(before)) < 1 and time.monotonic() < begin + 20:
                pause.wait(0.01)
            missing_s.append(time.monotonic() - begin)
        callers.stop()
    statuses = [status for status, _ in callers.statuses]
    failed = {str(status): statuses.count(status) for status in sorted(set(statuses)) if status != 200}
    figures: dict[str, object] = {
        "kills": len(missing_s),
        "answers": len(statuses),
        "errors": failed or 0,
        "no answer": callers.broken,
    }
    figures |= {"replaced after, s": round(max(missing_s), 2)}
    return Outcome(figures, not failed and not callers.broken and max(missing_s) <= 2)


if __name__ == "__main__":
    main(PROMISE, measure)
