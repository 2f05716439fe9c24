"""Promise 19: on a full disk predictions are refused, everything else goes on, and nothing that was said is lost."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from promises.harness import Client, Outcome, Promise, Target, main, read_ids
from support.disk import fill, mounted_disk
from support.pictures import grey

PROMISE = Promise(
    19,
    "A full disk gives 507 at once; /livez and reading go on; it recovers by itself within 5 s; nothing is lost.",
    "a disk of 4 MB that is filled and emptied under a client, both durabilities",
)


def measure(target: Target) -> Outcome:
    """Once for each durability."""
    figures: dict[str, object] = {}
    holds = True
    try:
        for durability in ("full", "normal"):
            with mounted_disk(target.folder / durability, "4m") as disk:
                found = fill_and_free(target, disk, durability)
            figures[durability] = found
            holds = holds and found["refused with"] == [507] and found["lost"] == 0 and found["beside it"] == [200]
            holds = holds and found["ready again after, s"] <= 5 and found["lines on stderr"] <= 20
    except pytest.skip.Exception:
        return Outcome(why="mounting a small disk is not permitted here")
    return Outcome(figures, holds)


def fill_and_free(target: Target, home: Path, durability: str) -> dict[str, Any]:
    """Figures of one disk."""
    server = target.serve(home, "--workers", "1", "--durability", durability)
    client, picture = Client(server.url), grey(0)
    ids = [client.predict(picture)[1] for _ in range(20)]
    fill(home / "ballast")
    refused: list[int] = []
    beside: list[int] = []
    said = server.stderr.count("\n")
    while len(refused) < target.count(300, 30):
        status, id_ = client.predict(picture)
        if id_ is not None:
            ids.append(id_)
        else:
            refused.append(status)
            beside.append(client.ask("GET", "/livez")[0])
            beside.append(client.ask("GET", "/predict?limit=1")[0])
    said = server.stderr.count("\n") - said
    (home / "ballast").unlink()
    begin = time.monotonic()
    while client.ask("GET", "/readyz")[0] != 200 and time.monotonic() < begin + 30:
        threading.Event().wait(0.02)
    ready_s = time.monotonic() - begin
    ids.append(client.predict(picture)[1])
    server.stop()
    stored, _ = read_ids(home)
    return {
        "refused with": sorted(set(refused)), "refusals": len(refused), "beside it": sorted(set(beside)),
        "ready again after, s": round(ready_s, 2), "lost": len(set(ids) - set(stored)), "lines on stderr": said,
    }  # fmt: skip


if __name__ == "__main__":
    main(PROMISE, measure)
