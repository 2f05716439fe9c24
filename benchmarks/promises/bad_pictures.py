"""Promise 5: hostile pictures do no harm."""

import itertools
import time

from promises.harness import TOKEN, Client, Outcome, Promise, Target, main, memory_mib, percentile, served
from support import bad_pictures
from support.process import workers_of

PROMISE = Promise(
    5,
    "Pictures that are none do no harm: no 5xx, no worker lost, no growing memory.",
    "cut, flipped, forged and odd pictures of all formats, one after the other, through one worker",
)
_MAX_GROWTH_MIB = 64


def measure(target: Target) -> Outcome:
    """Send all of them once."""
    corpus = make_corpus()[:: max(1, round(1 / target.scale))]
    with served(target, "--workers", "1", "--formats", "JPEG,PNG,WEBP,GIF,BMP,TIFF") as server:
        client = Client(server.url, TOKEN)
        for picture in bad_pictures.good_pictures().values():
            client.predict(picture)
        before = workers_of(server.process.pid)
        memory = sum(map(memory_mib, before))
        statuses, times = [], []
        for picture in corpus:
            begin = time.perf_counter()
            statuses.append(client.predict(picture)[0])
            times.append((time.perf_counter() - begin) * 1000)
        after = workers_of(server.process.pid)
        growth = sum(map(memory_mib, after)) - memory
        lines = len(server.log_lines()) - len(bad_pictures.good_pictures())
    failed = sum(status >= 500 for status in statuses)
    figures: dict[str, object] = {"pictures": len(corpus), "5xx": failed, "workers lost": len(set(before) - set(after))}
    figures |= {"memory grew by, MiB": round(growth), "p99, ms": percentile(times, 0.99)}
    figures["lines less answers"] = lines - len(statuses)
    holds = not failed and before == after and growth <= _MAX_GROWTH_MIB and lines == len(statuses)
    return Outcome(figures, holds)


def make_corpus() -> list[bytes]:
    """Some thousand pictures; none of them is a bomb (`bombs.py`)."""
    good = list(bad_pictures.good_pictures().values())
    mutated = [bad_pictures.truncations(data) for data in good] + [bad_pictures.bit_flips(data, 200) for data in good]
    groups = (bad_pictures.not_pictures(), bad_pictures.other_formats(), bad_pictures.broken(), bad_pictures.odd())
    return [*itertools.chain(*mutated), *itertools.chain(*(group.values() for group in groups))]


if __name__ == "__main__":
    main(PROMISE, measure)
