"""Promise 25: a clock that is set back or forth loses no row and mixes up no order."""

import ctypes.util
import json
import threading
from pathlib import Path

from promises.harness import Client, Outcome, Promise, Target, main
from support.pictures import grey

PROMISE = Promise(
    25,
    "When the clock is set, no row is lost, ids ascend, times never go back, and since and until stay right.",
    "libfaketime: one day forth, two back, a year forth; rows, their order and times (since, until: by the test suite)",
)
_STEPS = ("+0", "+1d", "-1d", "+365d")


def measure(target: Target) -> Outcome:
    """A server for each state of the clock, all with one history."""
    library = find_library()
    if library is None:
        return Outcome(why="libfaketime is not installed")
    each = target.count(100, 10)
    for step in _STEPS:
        server = target.serve(target.home(), "--workers", "1", LD_PRELOAD=str(library), FAKETIME=step)
        client = Client(server.url)
        for _ in range(each):
            client.predict(grey(0))
        threading.Event().wait(0.01)
        rows = client.ask("GET", "/predict?limit=10000")[1].decode()
        server.stop()
    listed = json.loads(rows)
    ids, times = [row["id"] for row in listed], [row["created_at"] for row in listed]
    figures = {"rows": len(ids), "expected": each * len(_STEPS), "times ascend": times == sorted(times)}
    return Outcome(figures, len(ids) == each * len(_STEPS) and ids == sorted(set(ids)) and times == sorted(times))


def find_library() -> Path | None:
    """Where libfaketime is."""
    folders = ("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/faketime", "/usr/lib64/faketime")
    found = [Path(folder, "libfaketime.so.1") for folder in folders if Path(folder, "libfaketime.so.1").exists()]
    named = ctypes.util.find_library("faketime")
    return found[0] if found else Path(named) if named else None


if __name__ == "__main__":
    main(PROMISE, measure)
