"""Bytes of all requests count in one budget; it is shared by tokens, and refused ones are told before they send."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from cvserve.errors import Overloaded, PayloadTooLarge
from cvserve.history.history import History
from cvserve.server.app import create_app
from cvserve.server.byte_budget import ByteBudget
from cvserve.server.transport.limits import ConnectionLimits
from cvserve.settings import Settings
from support.answers import assert_problem
from support.fakes import BrightnessPredictor, GatedPredictor
from support.lines import parsed
from support.pictures import grey
from support.predictions import prediction
from support.process import ServerProcess, proc
from support.raw import RawConnection
from support.threaded import ThreadedServer
from support.waiting import wait_until

MIB = 1024**2
Start = Callable[..., ThreadedServer]


@pytest.fixture
def budget() -> ByteBudget:
    return ByteBudget(100)


def fill(budget: ByteBudget, owner: object) -> int:
    """Let a caller send requests of one byte until it is refused; how many were taken."""
    for taken in range(1_000):
        try:
            budget.open_hold(owner).grow(1)
        except Overloaded:
            return taken
    raise AssertionError("nothing is refused")


def test_one_caller_gets_three_quarters_and_leaves_room_for_others(budget: ByteBudget) -> None:
    assert fill(budget, 1) == 75
    assert fill(budget, 2) == 18
    assert fill(budget, 3) == 5
    assert budget.used_bytes <= 100


def test_single_request_may_fill_all_of_it(budget: ByteBudget) -> None:
    """Else one that is larger than a share would be refused for good."""
    with budget.open_hold(1) as hold:
        hold.check(100)
        for _ in range(100):
            hold.grow(1)
        with pytest.raises(PayloadTooLarge, match="larger than the 100 bytes"):
            hold.grow(1)
    assert budget.used_bytes == 0
    budget.open_hold(1).grow(100)


def test_request_that_is_larger_than_all_of_it_is_told_so_whoever_else_is_there(budget: ByteBudget) -> None:
    for used_bytes in (0, 50):
        budget.open_hold(1).grow(used_bytes)
        with budget.open_hold(2) as hold:
            with pytest.raises(PayloadTooLarge):
                hold.check(101)
            with pytest.raises(PayloadTooLarge):
                hold.grow(101)


def test_what_is_only_announced_is_not_counted(budget: ByteBudget) -> None:
    for _ in range(1_000):
        budget.open_hold(1).check(60)
    budget.open_hold(2).grow(60)
    with pytest.raises(Overloaded, match="token's requests hold"):
        budget.open_hold(2).check(30)
    with pytest.raises(Overloaded, match="as many bytes of requests as it may"):
        budget.open_hold(1).check(60)


def test_everything_is_given_back(budget: ByteBudget) -> None:
    with budget.open_hold(1) as hold, budget.open_hold(2) as other:
        other.grow(40)
        hold.grow(40)
        with pytest.raises(Overloaded):
            hold.grow(40)
    assert budget.used_bytes == 0
    assert budget.peak_bytes == 80
    assert fill(budget, 1) == 75


def test_upload_that_does_not_fit_is_refused_before_it_is_read(threaded_server: Start) -> None:
    predictor = GatedPredictor()
    server = threaded_server(predictor, max_queue_bytes=2 * MIB)
    picture = grey(0) + bytes(MIB)
    with RawConnection(server.url) as first, RawConnection(server.url) as second:
        first.request("POST", "/predict", token=server.token, body=picture)
        assert predictor.entered.wait(30)
        second.request(
            "POST", "/predict", "Expect: 100-continue", f"Content-Length: {len(picture)}", token=server.token
        )
        answer = second.answer()  # and no "100 Continue"
        assert_problem(answer, "overloaded")
        assert answer.headers["retry-after"] == "1"
        with RawConnection(server.url) as nobody:  # who is refused anyway learns nothing of it
            assert_problem(
                nobody.request("POST", "/predict", f"Content-Length: {len(picture)}").answer(), "unauthenticated"
            )
        predictor.gate.set()
        assert first.answer().status == 200
    wait_until(lambda: server.resources.budget.used_bytes == 0)


def test_chunked_uploads_are_refused_when_they_pass_the_budget(threaded_server: Start) -> None:
    server = threaded_server(max_queue_bytes=2 * MIB)
    chunk = b"%x\r\n%s\r\n" % (MIB // 4, bytes(MIB // 4))
    with RawConnection(server.url) as one, RawConnection(server.url) as two:
        for raw in (one, two):
            raw.request("POST", "/predict", "Transfer-Encoding: chunked", "Expect: 100-continue", token=server.token)
            assert raw.answer().status == 100
            raw.send(3 * chunk)
        wait_until(lambda: server.resources.budget.used_bytes > MIB)
        two.send(9 * chunk)
        assert_problem(two.answer(), "overloaded")
        one.send(b"0\r\n\r\n")
        assert_problem(one.answer(), "invalid_image")
    wait_until(lambda: server.resources.budget.used_bytes == 0)


def test_body_that_needs_most_of_the_budget_is_taken_when_nothing_else_is_there(threaded_server: Start) -> None:
    server = threaded_server(max_queue_bytes=100_000)
    for size in (40_000, 90_000):
        with RawConnection(server.url) as raw:
            raw.request("POST", "/predict", token=server.token, body=grey(0) + bytes(size))  # in one piece
            assert raw.answer().status == 200


@pytest.mark.parametrize("sent", ["announced", "announced, with others there", "in chunks"])
def test_body_that_is_larger_than_the_whole_budget_is_not_told_to_come_again(threaded_server: Start, sent: str) -> None:
    predictor = GatedPredictor()
    server = threaded_server(predictor, max_queue_bytes=2 * MIB)
    with RawConnection(server.url) as first, RawConnection(server.url) as raw:
        if "others" in sent:
            first.request("POST", "/predict", token=server.token, body=grey(0) + bytes(MIB))
            assert predictor.entered.wait(30)
        if "announced" in sent:
            raw.request("POST", "/predict", f"Content-Length: {2 * MIB + 1}", token=server.token)
        else:
            raw.request("POST", "/predict", "Transfer-Encoding: chunked", token=server.token)
            raw.send(12 * (b"%x\r\n%s\r\n" % (MIB // 4, bytes(MIB // 4))))
        answer = raw.answer()
        assert_problem(answer, "payload_too_large")
        assert "2,097,152 bytes" in answer.json()["detail"]
        assert "retry-after" not in answer.headers
        predictor.gate.set()
    wait_until(lambda: server.resources.budget.used_bytes == 0)


def test_app_under_another_server_has_the_budget_as_well(home: Path) -> None:
    settings = Settings(home=home, no_auth=True, max_queue_bytes=100_000)
    app = create_app(settings, predictor=BrightnessPredictor())

    async def ask() -> list[httpx.Response]:
        is_held, may_end = asyncio.Event(), asyncio.Event()

        async def send_slowly() -> AsyncIterator[bytes]:
            yield bytes(60_000)
            is_held.set()
            await may_end.wait()

        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            first = asyncio.create_task(client.post("/predict", content=send_slowly()))
            await is_held.wait()
            others = [await client.post("/predict", content=bytes(size)) for size in (60_000, 100_001)]
            may_end.set()
            answers = [await first, *others]
        await app.resources.close()  # type: ignore[attr-defined]
        return answers

    for answer, code in zip(asyncio.run(ask()), ("invalid_image", "overloaded", "payload_too_large"), strict=True):
        assert_problem(answer, code)


def test_clients_that_leave_give_their_bytes_back(threaded_server: Start) -> None:
    server = threaded_server(max_queue_bytes=8 * MIB)
    for _ in range(20):
        with RawConnection(server.url) as raw:
            raw.request("POST", "/predict", "Content-Length: 4000000", token=server.token)
            raw.send(bytes(2_000_000))
    wait_until(lambda: server.resources.budget.used_bytes == 0)
    with server.client() as client:
        assert client.post("/predict", content=grey(0)).status_code == 200


def test_answers_that_nobody_reads_count_and_are_cut_off_where_they_leave_no_room(home: Path) -> None:
    with History.open(str(home)) as history:
        history.add_many([prediction()] * 20_000, source="cli", file_names=[None] * 20_000)
    limits = ConnectionLimits(grace_s=3_600, sweep_s=0.05)
    server = ThreadedServer(home, GatedPredictor(), limits=limits, max_queue_bytes=100_000)
    budget = server.resources.budget
    with RawConnection(server.url, receive_buffer_bytes=4096) as raw:
        raw.request("GET", "/predict", token=server.token)
        wait_until(lambda: budget.is_exceeded)
        wait_until(lambda: not server.connections)
    assert budget.used_bytes == 0
    server.stop()
    assert [parsed(line).status for line in server.log_lines()] == ["499"]


def test_who_is_refused_for_lack_of_room_is_not_read_on_at_once(threaded_server: Start) -> None:
    """Else clients that come again without a pause keep the server busy with dropping what they send."""
    predictor = GatedPredictor()
    server = threaded_server(predictor, max_queue_bytes=2 * MIB)
    picture = grey(0) + bytes(MIB)
    with RawConnection(server.url) as first, RawConnection(server.url) as second:
        first.request("POST", "/predict", token=server.token, body=picture)
        assert predictor.entered.wait(30)
        second.request("POST", "/predict", f"Content-Length: {len(picture)}", token=server.token)
        assert_problem(second.answer(), "overloaded")
        assert [connection for connection in server.connections if connection.flow.read_paused]
        predictor.gate.set()
        assert first.answer().status == 200
        second.send(picture)  # the rest of what was refused is dropped later, and the connection goes on
        assert second.request("POST", "/predict", token=server.token, body=picture).answer().status == 200


def test_client_that_leaves_behind_a_large_body_is_noticed(threaded_server: Start) -> None:
    """Its last piece fills the buffer, for which reading is paused; the end of the connection must be read as well."""
    predictor = GatedPredictor()
    server = threaded_server(predictor, workers=1)
    with RawConnection(server.url) as first:
        first.request("POST", "/predict", token=server.token, body=grey(0))
        assert predictor.entered.wait(30)
        for _ in range(5):
            with RawConnection(server.url) as leaver:
                leaver.request("POST", "/predict", token=server.token, body=grey(0) + bytes(300_000))
                wait_until(lambda: server.resources.engine.waiting)
            wait_until(lambda: len(server.connections) == 1)
        predictor.gate.set()
        assert first.answer().status == 200
    server.stop()
    assert sorted(parsed(line).status for line in server.log_lines()) == ["200"] + ["499"] * 5


class TestMemory:
    """Of a real front process."""

    @pytest.fixture
    def process(self, server_process: Callable[..., ServerProcess]) -> ServerProcess:
        return server_process(
            "--workers", "1", "--max-queue-bytes", "64MiB", CVSERVE_TOKEN="a-fixed-token-for-this-test"
        )

    def test_refused_pictures_leave_the_memory_with_their_answers(self, process: ServerProcess) -> None:
        body = b"a" * (16 * MIB)
        with process.client() as client:
            begin_mib = _resident_mib(process)
            for _ in range(12):
                answer = client.post("/predict", content=body, headers={"Content-Type": "text/plain"})
                assert_problem(answer, "unsupported_media_type")
                assert_problem(client.post("/predict", files={"wrong": body}), "missing_file")
            assert _resident_mib(process, "VmHWM") < begin_mib + 64  # three bodies

    def test_many_uploads_at_once_stay_within_the_budget_and_are_given_back(self, process: ServerProcess) -> None:
        begin_mib = _resident_mib(process)
        uploads = [RawConnection(process.url) for _ in range(24)]
        for raw in uploads:
            raw.request(
                "POST", "/predict/batch", "Content-Type: multipart/form-data; boundary=B", "Content-Length: 30000000",
                token=process.token,
            )  # fmt: skip
        with ThreadPoolExecutor(len(uploads)) as at_once:
            list(at_once.map(lambda raw: raw.send(bytes(29_000_000)), uploads))
        for raw in uploads:
            raw.shut(socket.SHUT_WR)
        for raw in uploads:
            raw.is_closed()
            raw.close()
        assert _resident_mib(process, "VmHWM") < begin_mib + 64 + 50
        wait_until(lambda: _resident_mib(process) < begin_mib + 30)


def _resident_mib(process: ServerProcess, name: str = "VmRSS") -> float:
    match = re.search(rf"{name}:\s+(\d+) kB", proc(process.process.pid, "status"))
    assert match
    return int(match[1]) / 1024
