"""Promise 23: no slow death: memory, descriptors and threads stay, and all counts agree."""

import http.client
import os
import statistics
import threading
import time

from promises.harness import Callers, Client, Outcome, Promise, Target, main, memory_mib, percentile, read_ids, served
from support.bad_pictures import not_pictures
from support.pictures import grey
from support.process import workers_of

PROMISE = Promise(
    23,
    "Under steady load with bad requests and changing connections nothing grows, and all counts agree.",
    "5 clients for three minutes, a third of all requests bad, ever new connections; last third against the second",
)


def measure(target: Target) -> Outcome:
    """Load, and a look at the processes every second."""
    seconds = target.count(180, 9)
    samples: list[tuple[float, float, int, int]] = []
    with served(target, "--workers", "1") as server:
        good, end = Callers(server.url, 3), threading.Event()
        bad = [Bad(server.url, end) for _ in range(2)]
        begin, pid = time.monotonic(), server.process.pid
        while time.monotonic() < begin + seconds:
            end.wait(1)
            workers = sum(map(memory_mib, workers_of(pid)))
            samples.append(
                (memory_mib(pid), workers, len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task")))
            )
        end.set()
        for caller in bad:
            caller.thread.join(40)
        good.stop()
    ids, check = read_ids(target.home())
    answers = len(good.statuses) + sum(caller.answered for caller in bad)
    third = len(samples) // 3
    middle, late = samples[third : 2 * third], samples[-third:]
    growth = [statistics.mean(one[i] for one in late) - statistics.mean(one[i] for one in middle) for i in range(4)]
    names = ("front, MiB", "workers, MiB", "descriptors", "threads")
    figures: dict[str, object] = {"seconds": seconds, "answers": answers, "lines": len(server.log_lines())}
    figures |= {"acknowledged": len(good.ids) + sum(caller.stored for caller in bad), "rows": len(ids)}
    figures |= {f"{name}: end, growth": [round(samples[-1][i], 1), round(growth[i], 1)] for i, name in enumerate(names)}
    figures["p99, ms"] = percentile([ms for _, ms in good.statuses], 0.99)
    agrees = figures["lines"] == answers and figures["acknowledged"] == len(ids) and check == "ok"
    return Outcome(figures, agrees and growth[0] <= 4 and growth[1] <= 8 and growth[2] <= 5 and growth[3] <= 1)


class Bad:
    """A caller whose requests are mostly bad, each on a connection of its own."""

    def __init__(self, url: str, end: threading.Event) -> None:
        self._url, self._end = url, end
        self.answered = self.stored = 0
        self.thread = threading.Thread(target=self._call)
        self.thread.start()

    def _call(self) -> None:
        bodies = [*not_pictures().values(), grey(0)]
        number = 0
        while not self._end.is_set():
            client = Client(self._url, None) if number % 5 == 0 else Client(self._url)
            try:
                status = client.ask("POST", "/predict", bodies[number % len(bodies)])[0]
            except (OSError, http.client.HTTPException):
                continue
            self.answered += 1
            self.stored += status == 200
            client.close()
            number += 1


if __name__ == "__main__":
    main(PROMISE, measure)
