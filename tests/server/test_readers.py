"""Reads of the history: long ones end with their caller and with their time, and delay no short ones."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cvserve.errors import HistoryDamaged, HistoryUnavailable, Overloaded
from cvserve.history.history import History
from cvserve.server.disconnect import ClientGone
from cvserve.server.readers import Readers
from cvserve.store.database import connect
from cvserve.store.predictions import PredictionReader, Query
from cvserve.store.transaction import insert_rows
from cvserve.store.writer import HistoryWriter
from support.pictures import grey
from support.raw import RawConnection
from support.rows import row
from support.threaded import ThreadedServer
from support.waiting import wait_until

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
Made = Callable[..., Readers]


@pytest.fixture
def writer(home: Path) -> Iterator[HistoryWriter]:
    writer = HistoryWriter(History.open(home).path, lambda results: None)
    writer.start()
    yield writer
    writer.close()


@pytest.fixture
def made(home: Path, writer: HistoryWriter) -> Iterator[Made]:
    all_readers: list[Readers] = []

    def make(**limits: float) -> Readers:
        all_readers.append(Readers(home / "cvserve.db", writer.guard, writer.gate, **limits))
        return all_readers[-1]

    yield make
    for readers in all_readers:
        readers.close()


class Scan:
    """A read that never ends by itself."""

    def __init__(self) -> None:
        self.begun = threading.Event()

    def __call__(self, reader: PredictionReader) -> Any:
        self.begun.set()
        return reader._read_rows(ENDLESS, [])


def count(reader: PredictionReader) -> int:
    return reader.count(Query())


def stay() -> bool:
    return False


async def is_begun(scan: Scan) -> None:
    await asyncio.get_running_loop().run_in_executor(None, scan.begun.wait, 30)


def run(check: Awaitable[None]) -> None:
    async def limited() -> None:
        await asyncio.wait_for(check, 60)

    asyncio.run(limited())


def test_a_scan_ends_with_its_caller(made: Made) -> None:
    readers = made(scan_limit_s=1_000.0)

    async def check() -> None:
        for _ in range(10):  # more than there are threads: each is free again
            scan = Scan()
            with pytest.raises(ClientGone):
                await readers.scan(scan, "a", scan.begun.is_set)
        assert await readers.scan(count, "a", stay) == 0

    run(check())


def test_a_scan_ends_with_a_request_that_is_cancelled(made: Made) -> None:
    readers = made(scan_limit_s=1_000.0)

    async def check() -> None:
        for _ in range(10):
            scan = Scan()
            task = asyncio.ensure_future(readers.scan(scan, "a", stay))
            await is_begun(scan)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await readers.scan(count, "a", stay) == 0

    run(check())


def test_a_scan_has_a_time_limit(made: Made) -> None:
    readers = made(scan_limit_s=0.05)

    async def check() -> None:
        with pytest.raises(Overloaded, match=r"longer to find than the 0.05 s .* narrow it") as refused:
            await readers.scan(Scan(), "a", stay)
        assert refused.value.reason == "history_scan"
        assert await readers.scan(count, "a", stay) == 0

    run(check())


def test_one_row_is_read_while_all_who_scan_are_busy(made: Made) -> None:
    readers = made(scan_limit_s=1_000.0)

    async def check() -> None:
        scans = [Scan() for _ in range(4)]
        tasks = [
            asyncio.ensure_future(readers.scan(scan, name, stay)) for scan, name in zip(scans, "aabb", strict=True)
        ]
        for scan in scans:
            await is_begun(scan)
        assert await readers.read(lambda reader: reader.get(1)) is None
        for task in tasks:
            task.cancel()

    run(check())


def test_one_token_leaves_places_for_others(made: Made) -> None:
    readers = made(scan_limit_s=1_000.0)

    async def check() -> None:
        scans = [Scan() for _ in range(60)]
        tasks = [asyncio.ensure_future(readers.scan(scan, "greedy", stay)) for scan in scans]
        await is_begun(scans[0])
        assert await readers.scan(count, "other", stay) == 0
        assert sum(scan.begun.is_set() for scan in scans) <= 2
        for task in tasks:
            task.cancel()

    run(check())


def test_who_waits_for_a_turn_is_told_so_in_time_and_who_has_left_is_dropped(made: Made) -> None:
    readers = made(scan_limit_s=1_000.0, turn_limit_s=0.2)

    async def check() -> None:
        scans = [Scan(), Scan()]
        tasks = [asyncio.ensure_future(readers.scan(scan, "a", stay)) for scan in scans]
        for scan in scans:
            await is_begun(scan)
        with pytest.raises(Overloaded, match="too many lists"):
            await readers.scan(count, "a", stay)
        with pytest.raises(ClientGone):
            await readers.scan(count, "a", lambda: True, is_first=False)
        goes_on = asyncio.ensure_future(readers.scan(count, "a", stay, is_first=False))  # half an answer is sent
        await asyncio.wait((goes_on,), timeout=0.5)
        assert not goes_on.done()
        for task in tasks:
            task.cancel()
        assert await goes_on == 0

    run(check())


def test_what_the_guard_knows_is_said_and_what_a_reader_sees_is_told_to_it(
    made: Made, writer: HistoryWriter, home: Path
) -> None:
    readers = made()

    def fail(reader: PredictionReader) -> None:
        raise HistoryDamaged("seen")

    async def check() -> None:
        with pytest.raises(HistoryDamaged, match="seen"):
            await readers.read(fail)
        assert writer.failure is not None
        await asyncio.get_running_loop().run_in_executor(None, wait_until, lambda: writer.failure is None)  # unfounded
        home.joinpath("cvserve.db").rename("away")
        await asyncio.get_running_loop().run_in_executor(None, wait_until, lambda: writer.failure is not None)
        for read in (readers.read(count), readers.scan(count, "a", stay)):
            with pytest.raises(HistoryUnavailable, match="moved"):
                await read

    run(check())


def test_a_list_whose_client_leaves_gives_its_place_back(threaded_server: Callable[..., ThreadedServer]) -> None:
    server = threaded_server()
    gate = server.resources.recorder.gate
    with server.client() as client:
        client.post("/predict", content=grey(0)).raise_for_status()
        gate.close()
        for _ in range(5):
            with RawConnection(server.url) as raw:
                raw.request("GET", "/predict", token=server.token)
        wait_until(lambda: sum("| 499 |" in line for line in server.log_lines()) == 5)
        assert client.get("/predict/1").json()["id"] == 1
        gate.open()
        assert len(client.get("/predict").json()) == 1


def test_a_list_that_cannot_be_read_to_its_end_is_cut_and_never_looks_whole(
    threaded_server: Callable[..., ThreadedServer],
) -> None:
    server = threaded_server()
    connection = connect(server.settings.database_path)
    insert_rows(connection, [row()] * 2_500, {})
    connection.execute("UPDATE predictions SET label = x'ff' WHERE id = 1500")  # no JSON can say this
    connection.close()
    for target in ("/predict", "/predict?limit=2000"):
        with RawConnection(server.url) as raw:
            raw.request("GET", target, token=server.token)
            with pytest.raises(ValueError, match="invalid literal"):  # where the next chunk's size would be is the end
                raw.answer()
    with server.client() as client:
        answer = client.get("/predict?after=1400")
        assert (answer.status_code, answer.json()["code"]) == (503, "history_unavailable")
        assert len(client.get("/predict?after=1500").json()) == 1_000
