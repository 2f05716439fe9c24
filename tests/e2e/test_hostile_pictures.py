"""Thousands of damaged pictures, one after the other: nothing falls, grows or waits.

The long form, 10,000: CVSERVE_TEST_LONG=1 pytest -s tests/e2e/test_hostile_pictures.py
"""

import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from support import bad_pictures
from support.pictures import digit_photo, grey
from support.process import ServerProcess, workers_of

Start = Callable[..., ServerProcess]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]

LONG = bool(os.environ.get("CVSERVE_TEST_LONG"))
MUTANTS = 10_000 if LONG else 200
SEED = int(os.environ.get("CVSERVE_TEST_SEED", "20261125"))
TOKEN = "a-token-for-the-mutants"
CALLERS = 4
# After so many the worker has all its tables and buffers; what it grows by then is what it loses.
WARM_UP = 100


def mutate(data: bytes, chance: random.Random) -> bytes:
    """The file with a few bits turned, bytes replaced, a part cut out, doubled or filled."""
    bent = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        bent = bent or bytearray(1)
        place, length = chance.randrange(len(bent)), chance.randint(1, 64)
        match chance.randrange(6):
            case 0:
                bent[place] ^= 1 << chance.randrange(8)
            case 1:
                bent[place : place + length] = chance.randbytes(length)
            case 2:
                del bent[place : place + length]
            case 3:
                bent[place:place] = bent[place : place + length]
            case 4:
                bent[place : place + 4] = chance.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"))
            case 5:
                del bent[max(12, place) :]
    return bytes(bent or b"\0")


def make_mutants(count: int) -> list[bytes]:
    """As many different ones, the same for the same seed."""
    chance = random.Random(SEED)
    seeds = [*bad_pictures.good_pictures().values(), *bad_pictures.odd().values(), digit_photo("3")]
    seeds = [seed for seed in seeds if len(seed) < 100_000]
    return [mutate(chance.choice(seeds), chance) for _ in range(count)]


def read_memory_mib(pid: int) -> float:
    """Memory that a process holds now."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def send_all(server: ServerProcess, pictures: list[bytes]) -> tuple[Counter[int], list[float]]:
    """Statuses, and how long each answer took in seconds."""
    statuses: Counter[int] = Counter()
    times_s: list[float] = []

    def call(mine: list[bytes]) -> None:
        with server.client(TOKEN) as client:
            for picture in mine:
                begin = time.perf_counter()
                answer = client.post("/predict", content=picture, headers={"Content-Type": "image/png"})
                times_s.append(time.perf_counter() - begin)
                statuses[answer.status_code] += 1
                if answer.status_code != 200:
                    assert answer.json()["code"] in ("invalid_image", "image_too_large", "unsupported_image")

    callers = [threading.Thread(target=call, args=(pictures[number::CALLERS],)) for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return statuses, times_s


def test_thousands_of_damaged_pictures_do_no_harm(server_process: Start) -> None:
    server = server_process("--workers", "1", CVSERVE_TOKEN=TOKEN)
    (worker,) = workers_of(server.process.pid)
    mutants = make_mutants(WARM_UP + MUTANTS)
    send_all(server, mutants[:WARM_UP])
    before_mib = read_memory_mib(worker)
    statuses, times_s = send_all(server, mutants[WARM_UP:])
    growth_mib = read_memory_mib(worker) - before_mib
    p99_ms = 1000 * sorted(times_s)[len(times_s) * 99 // 100]
    print(f"{sum(statuses.values()):,} pictures, {dict(statuses)}, worker +{growth_mib:.1f} MiB, p99 {p99_ms:.0f} ms")
    assert sum(statuses.values()) == MUTANTS  # each was answered, none by a dead worker
    assert set(statuses) <= {200, 415, 422}
    assert workers_of(server.process.pid) == [worker]
    assert growth_mib <= 16
    assert httpx.post(f"{server.url}/predict", content=grey(0), headers={"Authorization": TOKEN}).status_code == 200
