"""The program of a Locust process: it takes orders as lines of JSON on stdin and sends ticks on stdout.

Locust patches the standard library of its whole process, so it runs in none of ours.

In: the order (`locustfile`, `host`, `token`, `csv`, `stop_timeout_s`, `index`), then `{"users", "spawn_rate"}`,
`{"rate", "first"}` of open load, `{"closed"}`, `{"merge"}` (statistics of another process) and `{"finish"}`.
Out: `{"ready"}`, a tick every so often, `{"stats"}` of a process that writes no CSV, at the end `{"done"}`.
"""

import os
import sys

# What Locust and the locustfile print must not come between our lines.
_OUT = os.dup(1)
os.dup2(2, 1)

import locust  # noqa: E402,I001 - first: it patches the standard library

import json  # noqa: E402
import logging  # noqa: E402
import time  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Iterable  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent.fileobject import FileObject  # noqa: E402
from locust.env import Environment  # noqa: E402
from locust.runners import LocalRunner  # noqa: E402
from locust.stats import (  # noqa: E402
    PERCENTILES_TO_REPORT,
    StatsCSVFileWriter,
    setup_distributed_stats_event_listeners,
    stats_history,
)
from locust.util.load_locustfile import load_locustfile  # noqa: E402

TICK_S = 0.2
_REPORT_TICKS = 5
_CSV_S = 1.1  # Locust's writer writes once a second


class Runner(LocalRunner):
    """Locust's runner, which also counts the users of the other processes: their requests are in its statistics."""

    others = 0

    @property
    def user_count(self) -> int:
        """Users of all processes."""
        return len(self.user_greenlets) + self.others


class IdleClock:
    """Measures how much of the time the event loop waits with nothing to do.

    A generator whose loop never waits is the limit of a test, also where it gets less than a whole core, because
    the server takes the rest.

    Attributes:
        idle_s: time spent waiting since this was made, in seconds.
    """

    def __init__(self) -> None:
        loop = gevent.get_hub().loop
        self.idle_s = 0.0
        self._since: float | None = None
        # Last before the loop waits for the network, and first after it.
        self._before, self._after = loop.prepare(ref=False, priority=-2), loop.check(ref=False, priority=2)
        self._before.start(self._begin)
        self._after.start(self._end)

    def _begin(self) -> None:
        self._since = time.perf_counter()

    def _end(self) -> None:
        if self._since is not None:
            self.idle_s += time.perf_counter() - self._since
            self._since = None


class Generator:
    """One Locust, which loads a server by our orders.

    Args:
        lines: from our side, one JSON object each; the first is the order to start with.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._messages = (json.loads(line, object_hook=_restore_numbers) for line in lines)
        order = next(self._messages)
        self._index = order["index"]
        os.environ["CVSERVE_TOKEN"] = order["token"] or ""
        users, _ = load_locustfile(order["locustfile"])
        self._arrivals = vars(sys.modules[users["PredictUser"].__module__])["arrivals"]
        self._environment = Environment(
            user_classes=list(users.values()),
            events=locust.events,
            host=order["host"],
            stop_timeout=order["stop_timeout_s"],
        )
        self._environment.runner = self._runner = Runner(self._environment)
        setup_distributed_stats_event_listeners(locust.events, self._environment.stats)
        self._csv = order["csv"] and StatsCSVFileWriter(self._environment, PERCENTILES_TO_REPORT, order["csv"])
        self._latencies: Counter[int] = Counter()
        self._failures: Counter[str] = Counter()
        self._last_at: float | None = None
        self._idle = IdleClock()
        locust.events.request.add_listener(self._on_request)

    def run(self) -> None:
        """Follow the orders until the one to finish, or until the other side is gone."""
        gevent.spawn(stats_history, self._runner)
        if self._csv:
            self._writer = gevent.spawn(self._csv)
        ticker = gevent.spawn(self._tick_on)
        send({"ready": os.getpid()})
        for message in self._messages:
            if "users" in message:
                self._runner.start(message["users"], message["spawn_rate"])
                self._runner.others = message["others"]
            elif "rate" in message:
                self._arrivals.begin(message["rate"], message["first"])
            elif "closed" in message:
                self._arrivals.end(self._runner.target_user_count)
            elif "merge" in message:
                self._merge(message)
            elif "finish" in message:
                break
        self._finish(ticker)

    def _finish(self, ticker: Any) -> None:
        self._arrivals.end(2 * self._runner.target_user_count)
        self._runner.stop()
        ticker.kill()
        self._tick(time.monotonic())
        send({"done": self._index, "stats": self._report()} if self._index else {"done": 0})
        if self._csv:
            for message in self._messages:  # the last statistics of the others come after their end
                self._merge(message)
            gevent.sleep(_CSV_S)
            self._writer.kill()
            self._csv.close_files()

    def _merge(self, message: dict[str, Any]) -> None:
        locust.events.worker_report.fire(client_id=str(message["index"]), data=message["merge"])

    def _on_request(self, response_time: float, exception: Any = None, **request: Any) -> None:
        if exception is None:
            self._latencies[round_microseconds(response_time)] += 1
            self._last_at = time.monotonic()
        else:
            self._failures[f"{request['request_type']} {request['name']}: {exception}"] += 1

    def _tick_on(self) -> None:
        self._began_at, self._cpu_s, self._idle_s = time.monotonic(), time.process_time(), self._idle.idle_s
        ticks = 0
        while True:
            now = time.monotonic()
            gevent.sleep(TICK_S - now % TICK_S)  # all processes tick together
            self._tick(time.monotonic())
            ticks += 1
            if self._index and ticks % _REPORT_TICKS == 0:
                send({"stats": self._report()})

    def _tick(self, now: float) -> None:
        cpu_s, idle_s = time.process_time(), self._idle.idle_s
        elapsed_s = max(now - self._began_at, 1e-9)
        send(
            {
                "begin": self._began_at,
                "end": now,
                "users": len(self._runner.user_greenlets),
                "latencies": list(self._latencies.items()),
                "failures": dict(self._failures),
                "cpu": (cpu_s - self._cpu_s) / elapsed_s,
                "busy": 1 - min(1.0, (idle_s - self._idle_s) / elapsed_s),
                "last_at": self._last_at,
                "waiting": self._arrivals.waiting if self._arrivals.is_open else 0,
                "in_flight": self._arrivals.in_flight if self._arrivals.is_open else 0,
            }
        )
        self._latencies.clear()
        self._failures.clear()
        self._last_at = None
        self._began_at, self._cpu_s, self._idle_s = now, cpu_s, idle_s

    def _report(self) -> dict[str, Any]:
        data: dict[str, Any] = {}
        locust.events.report_to_master.fire(client_id=str(self._index), data=data)
        return data


def round_microseconds(milliseconds: float) -> int:
    """Turn milliseconds into microseconds with three significant digits: exact enough, and few different numbers."""
    microseconds = max(1, round(milliseconds * 1000))
    step = 10 ** max(0, len(str(microseconds)) - 3)
    return round(microseconds / step) * step


def send(message: dict[str, Any]) -> None:
    """Send one object to the other side."""
    data = json.dumps(message).encode("ascii") + b"\n"
    while data:
        data = data[os.write(_OUT, data) :]


def _restore_numbers(entries: dict[str, Any]) -> dict[Any, Any]:
    """Make keys that are digits numbers again: Locust's statistics have such keys, which JSON turned into texts."""
    return {int(key) if key.isdecimal() else key: value for key, value in entries.items()}


def main() -> None:
    """`python -m cvserve.loadtest.locust.generator_main`."""
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    Generator(FileObject(0, "rb")).run()


if __name__ == "__main__":
    main()
