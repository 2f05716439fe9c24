"""Worker processes: whatever happens to one of them, everybody is answered, and another one takes its place."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from cvserve.engine.engine import Engine
from cvserve.engine.kernel import resident_bytes
from cvserve.engine.losses import Losses
from cvserve.engine.process_pool import _MAX_UNANSWERED_PINGS, ProcessPool
from cvserve.errors import InvalidImage, ModelError, ModelLoadError, NotReady, PredictTimeout, WorkerDied
from support.engines import Counts, happens, order, outcomes, pool, run, tasks
from support.gate import Gate
from support.pictures import grey
from support.process import children, command_of, fork_servers_of, proc, pss_bytes, workers_of

BLACK, GREY, WHITE = grey(0), grey(100), grey(255)
OTHER_WHITE = grey(255, (60, 64))
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


# A kill says little of the neighbours in a batch: it takes two more, alone.
DEADLY = [("kill", "signal", 3), ("crash", "signal", 2), ("leave", "exit", 2), ("babble", "signal", 2)]
DEADLY += [("close_files", "exit", 2)]


@linux
@pytest.mark.parametrize(("how", "reason", "workers"), DEADLY)
def test_picture_that_ends_its_worker_is_refused_and_its_neighbours_are_answered(
    how: str, reason: str, workers: int
) -> None:
    counts = Counts()

    async def use(engine: Engine) -> tuple[list[Any], list[Any]]:
        first = await outcomes(engine.submit(tasks(BLACK, WHITE, GREY, BLACK)))
        await happens(lambda: engine.live_workers == 1)
        again = await outcomes(engine.submit(tasks(WHITE, BLACK)))
        await happens(lambda: len(counts.restarts) == workers)
        return first, again

    first, again = run("processes", order("Deadly", how=how), use, observer=counts)
    assert [getattr(outcome, "result", type(outcome)) for outcome in first] == [0, WorkerDied, 1, 0]
    # Its hash is refused now, before any worker sees it; a neighbour goes on.
    assert isinstance(again[0], InvalidImage)
    assert again[1].result == 0
    assert counts.restarts == [reason] * workers


def test_model_that_calls_exit_costs_no_worker() -> None:
    counts = Counts()

    async def use(engine: Engine) -> list[Any]:
        return await outcomes(engine.submit(tasks(BLACK, WHITE)))

    first, second = run("processes", order("Deadly", how="exit"), use, observer=counts)
    assert first.result == 0
    assert isinstance(second, ModelError)
    assert counts.restarts == []


def test_worker_that_hangs_is_replaced_and_only_its_picture_is_late(capfd: pytest.CaptureFixture[str]) -> None:
    counts = Counts()

    async def use(engine: Engine) -> list[Any]:
        first = await outcomes(engine.submit(tasks(BLACK, WHITE, GREY)))
        await happens(lambda: len(counts.restarts) == 2)
        return [*first, *await outcomes(engine.submit(tasks(GREY, WHITE)))]

    found = run("processes", order("Deadly", how="hang"), use, observer=counts, predict_timeout=4)
    names = [getattr(outcome, "result", type(outcome)) for outcome in found]
    assert names == [0, PredictTimeout, 1, 1, InvalidImage]
    assert counts.restarts == ["hung", "hung"]
    assert "worker_fakes.py" in capfd.readouterr().err  # where it was, for the operator


@linux
def test_picture_in_a_worker_that_is_stopped_is_answered_by_another_one_and_not_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cvserve.engine.process_pool._WATCH_INTERVAL_S", 0.05)
    gate, counts = Gate(tmp_path), Counts()

    async def use(engine: Engine) -> list[Any]:
        found = []
        for attempt in (1, 2):
            futures = engine.submit(tasks(WHITE))
            await happens(lambda: len(gate.batch_sizes) == 2 * attempt - 1)  # noqa: B023 - over before the next round
            (stopped,) = workers_of(os.getpid())
            os.kill(stopped, signal.SIGSTOP)
            await happens(lambda: len(gate.batch_sizes) == 2 * attempt)  # noqa: B023
            gate.open()
            found += await outcomes(futures)
            gate.close()
        return found

    found = run("processes", order("GatedByFiles", folder=str(tmp_path)), use, observer=counts, predict_timeout=60)
    assert [outcome.result for outcome in found] == [3, 3]
    assert counts.restarts == ["hung", "hung"]


@linux
def test_picture_alone_in_a_worker_that_is_stopped_until_its_time_is_over_is_not_refused() -> None:
    async def use(engine: Engine) -> list[Any]:
        return [*await outcomes(engine.submit(tasks(WHITE))), *await outcomes(engine.submit(tasks(WHITE)))]

    found = run("processes", order("Deadly", how="stop"), use, predict_timeout=1.5)
    assert [type(outcome) for outcome in found] == [PredictTimeout, PredictTimeout]


@linux
def test_workers_that_are_killed_all_at_once_say_nothing_against_what_they_held(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    async def use(engine: Engine) -> list[Any]:
        futures = engine.submit(tasks(WHITE, WHITE))
        for attempt in (1, 2, 3):
            await happens(lambda: len(gate.batch_sizes) == 2 * attempt)  # noqa: B023 - over before the next round
            for worker in workers_of(os.getpid()):
                os.kill(worker, signal.SIGKILL)
        await happens(lambda: len(gate.batch_sizes) == 8)
        gate.open()
        return [*await outcomes(futures), *await outcomes(engine.submit(tasks(WHITE)))]

    found = run("processes", order("GatedByFiles", folder=str(tmp_path)), use, workers=2)
    assert [outcome.result for outcome in found] == [3, 3, 3]
    gate.close()


@linux
def test_fork_server_that_is_killed_again_and_again_brings_no_blame_on_what_its_workers_held(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    async def use(engine: Engine) -> list[Any]:
        futures = engine.submit(tasks(WHITE))
        for attempt in (1, 2, 3):
            await happens(lambda: len(gate.batch_sizes) == attempt)  # noqa: B023 - over before the next round
            (fork_server,) = fork_servers_of(os.getpid())
            os.kill(fork_server, signal.SIGKILL)
        await happens(lambda: len(gate.batch_sizes) == 4)
        gate.open()
        return [*await outcomes(futures), *await outcomes(engine.submit(tasks(WHITE)))]

    found = run("processes", order("GatedByFiles", folder=str(tmp_path)), use)
    assert [outcome.result for outcome in found] == [3, 3]
    gate.close()


@linux
@pytest.mark.parametrize("workers_are_killed", [False, True])
def test_fork_server_that_is_stopped_is_replaced(*, workers_are_killed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cvserve.engine.process_pool._WATCH_INTERVAL_S", 0.05)
    counts = Counts()

    async def use(engine: Engine) -> Any:
        (stopped,) = fork_servers_of(os.getpid())
        workers = workers_of(os.getpid())
        os.kill(stopped, signal.SIGSTOP)
        if workers_are_killed:
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
            await happens(lambda: not engine.is_ready)
        future = engine.submit(tasks(GREY))[0]
        await happens(lambda: "nursery" in counts.restarts)
        monkeypatch.setattr("cvserve.engine.process_pool._WATCH_INTERVAL_S", 1.0)  # the next may be slow
        answer = await future
        await happens(lambda: engine.live_workers == 2)
        assert fork_servers_of(os.getpid()) != [stopped]
        return answer

    assert run("processes", order("BrightnessPredictor"), use, workers=2, observer=counts).result == 1


@linux
@pytest.mark.parametrize(("how", "text"), [("leave", "exited with 3"), ("kill", "SIGKILL")])
def test_workers_that_end_before_any_is_ready_end_the_start(how: str, text: str) -> None:
    made = pool("processes", order("Stillborn", how=how), 2)

    async def main() -> None:
        engine = Engine(made)
        with pytest.raises(ModelLoadError, match=rf"5 in a row; the last one .*{text}"):
            await asyncio.wait_for(engine.start(), 60)
        assert not engine.is_ready

    try:
        asyncio.run(main())
        assert not fork_servers_of(os.getpid())
    finally:
        made.kill()


@linux
def test_picture_that_no_worker_lives_for_is_not_said_to_have_taken_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cvserve.engine.process_pool._WATCH_INTERVAL_S", 30.0)

    async def use(engine: Engine) -> Any:
        os.kill(fork_servers_of(os.getpid())[0], signal.SIGSTOP)
        for worker in workers_of(os.getpid()):
            os.kill(worker, signal.SIGKILL)
        await happens(lambda: not engine.is_ready)
        return (await outcomes(engine.submit(tasks(WHITE))))[0]

    assert isinstance(run("processes", order("BrightnessPredictor"), use, predict_timeout=0.5), NotReady)


@linux
def test_idle_worker_that_answers_no_ping_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cvserve.engine.process_pool._WATCH_INTERVAL_S", 0.05)
    counts = Counts()

    async def use(engine: Engine) -> Any:
        (stopped,) = workers_of(os.getpid())
        os.kill(stopped, signal.SIGSTOP)
        await happens(lambda: counts.restarts)
        # The next one may be slow on a busy machine: it is asked as seldom as a server asks.
        monkeypatch.setattr("cvserve.engine.process_pool._WATCH_INTERVAL_S", 1.0)
        await happens(lambda: workers_of(os.getpid()) and workers_of(os.getpid()) != [stopped])
        return await engine.submit(tasks(GREY))[0]

    assert run("processes", order("BrightnessPredictor"), use, observer=counts).result == 1
    assert counts.restarts == ["hung"]


@linux
def test_busy_worker_is_not_taken_for_a_dead_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cvserve.engine.process_pool._WATCH_INTERVAL_S", 0.01)
    gate, counts, rounds = Gate(tmp_path), Counts(), []
    watch = ProcessPool._watch

    def count_and_watch(pool: ProcessPool) -> None:
        rounds.append(pool)
        watch(pool)

    monkeypatch.setattr(ProcessPool, "_watch", count_and_watch)

    async def use(engine: Engine) -> Any:
        future = engine.submit(tasks(GREY))[0]
        await happens(lambda: gate.batch_sizes == [1])
        begin = len(rounds)
        await happens(lambda: len(rounds) >= begin + 4 * _MAX_UNANSWERED_PINGS)  # an idle one would be ended by now
        gate.open()
        return await future

    assert run("processes", order("GatedByFiles", folder=str(tmp_path)), use, observer=counts).result == 1
    assert counts.restarts == []
    gate.close()


@linux
def test_request_that_met_one_kill_is_answered_and_one_that_met_two_is_not(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    async def use(engine: Engine) -> list[Any]:
        futures = engine.submit(tasks(WHITE))
        for attempt in (1, 2):
            await happens(lambda: len(gate.batch_sizes) == attempt)  # noqa: B023 - over before the next round
            (worker,) = workers_of(os.getpid())
            os.kill(worker, signal.SIGKILL)
        refused = await outcomes(futures)
        futures = engine.submit(tasks(BLACK, GREY))
        await happens(lambda: len(gate.batch_sizes) == 3)
        (worker,) = workers_of(os.getpid())
        os.kill(worker, signal.SIGKILL)
        gate.open()
        return [*refused, *await outcomes(futures)]

    found = run("processes", order("GatedByFiles", folder=str(tmp_path)), use)
    assert [getattr(outcome, "result", type(outcome)) for outcome in found] == [WorkerDied, 0, 1]
    assert gate.batch_sizes == [1, 1, 2, 1, 1]
    gate.close()


@linux
def test_workers_of_a_new_fork_server_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the old one end while the new one loads the model: nothing may be asked of it before it is ready."""
    monkeypatch.setattr("cvserve.engine.process_pool._WATCH_INTERVAL_S", 0.05)
    monkeypatch.setattr("cvserve.engine.losses._MAX_LINGER_S", 0.05)
    counts = Counts()
    looks: list[int] = []
    look = Losses.end_lingering

    def count_and_look(self: Losses) -> None:
        looks.append(1)
        look(self)

    monkeypatch.setattr(Losses, "end_lingering", count_and_look)

    async def use(engine: Engine) -> None:
        os.kill(fork_servers_of(os.getpid())[0], signal.SIGKILL)
        await happens(lambda: "nursery" in counts.restarts and engine.live_workers == engine.wanted_workers)
        made = sorted(workers_of(os.getpid()))
        looks.clear()
        await happens(lambda: len(looks) > 10)  # each would end one that is taken for another
        assert sorted(workers_of(os.getpid())) == made

    run("processes", order("BrightnessPredictor"), use, observer=counts, workers=2)
    assert counts.restarts == ["nursery"]


@linux
def test_fork_server_that_is_killed_takes_its_workers_along_and_is_made_again() -> None:
    counts = Counts()

    async def use(engine: Engine) -> Any:
        old = workers_of(os.getpid())
        (fork_server,) = fork_servers_of(os.getpid())
        os.kill(fork_server, signal.SIGKILL)
        await happens(lambda: not engine.is_ready)
        futures = engine.submit(tasks(GREY, BLACK))  # waits for the next one
        answers = await asyncio.gather(*futures)
        await happens(lambda: engine.live_workers == 2)
        assert not set(old) & set(workers_of(os.getpid()))
        return [answer.result for answer in answers]

    assert run("processes", order("BrightnessPredictor"), use, workers=2, observer=counts) == [1, 0]
    assert "nursery" in counts.restarts


@linux
def test_worker_that_grows_is_replaced_between_two_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cvserve.engine.process_pool._WATCH_INTERVAL_S", 0.05)
    monkeypatch.setattr("cvserve.engine.process_pool._MAX_UNANSWERED_PINGS", 1_000)  # however busy the machine is
    counts = Counts()

    async def use(engine: Engine) -> None:
        (first,) = workers_of(os.getpid())
        ceiling = resident_bytes(first)
        assert ceiling < 300 * 2**20
        while "memory" not in counts.restarts:
            (answer,) = await asyncio.gather(*engine.submit(tasks(GREY)))
            assert answer.result == 1
            assert engine.is_ready
        await happens(lambda: len(workers_of(os.getpid())) == 1 and workers_of(os.getpid()) != [first])

    run("processes", order("Leaking", mebibytes=40), use, memory_bytes=300 * 2**20, observer=counts)
    assert set(counts.restarts) == {"memory"}


@linux
def test_model_that_starts_threads_is_not_forked_but_loaded_again() -> None:
    async def use(engine: Engine) -> list[Any]:
        assert all("worker" in command_of(worker) for worker in workers_of(os.getpid()))
        assert {command_of(worker).count("Threaded") for worker in workers_of(os.getpid())} == {1}
        return await outcomes(engine.submit(tasks(GREY, BLACK)))

    assert [answer.result for answer in run("processes", order("Threaded"), use, workers=2)] == [1, 0]


@linux
def test_model_that_cannot_be_forked_is_in_memory_once_a_worker_and_no_more() -> None:
    megabytes = 64

    async def use(engine: Engine) -> list[Any]:
        (fork_server,) = fork_servers_of(os.getpid())
        assert "numpy" not in proc(fork_server, "maps")
        sizes = {pid: pss_bytes(pid) / 1024**2 for pid in (fork_server, *children(fork_server))}
        assert sizes.pop(fork_server) < megabytes / 2
        assert len(sizes) == 2
        assert min(sizes.values()) > megabytes
        return await outcomes(engine.submit(tasks(GREY)))

    assert run("processes", order("Large", megabytes=megabytes), use, workers=2)[0].result == 1


@linux
def test_model_on_a_device_is_never_forked() -> None:
    async def use(_: Engine) -> None:
        assert ["worker" in command_of(worker) for worker in workers_of(os.getpid())] == [True]

    run("processes", order("OnDevice"), use, workers=1)


@linux
def test_workers_are_forks_that_share_the_memory_of_the_fork_server() -> None:
    async def use(engine: Engine) -> None:
        for worker in workers_of(os.getpid()):
            assert "Brightness" not in command_of(worker)
            smaps = proc(worker, "smaps_rollup")
            sizes = {line.split(":")[0]: int(line.split()[1]) for line in smaps.splitlines()[1:] if "kB" in line}
            assert sizes["Pss"] < sizes["Rss"] / 2

    run("processes", order("BrightnessPredictor"), use, workers=2)


@linux
def test_worker_holds_no_secret_no_file_of_the_front_and_dies_first_when_memory_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CVSERVE_TOKEN", "a-secret-of-the-front")

    async def use(engine: Engine) -> None:
        with (tmp_path / "front").open("w") as file:
            os.set_inheritable(file.fileno(), True)
            for worker in workers_of(os.getpid()):
                assert "a-secret-of-the-front" not in proc(worker, "environ")
                links = [os.readlink(f"/proc/{worker}/fd/{name}") for name in os.listdir(f"/proc/{worker}/fd")]
                assert sum("socket" in link for link in links) == 1
                assert str(tmp_path / "front") not in links
                assert int(proc(worker, "oom_score_adj")) >= 500

    run("processes", order("BrightnessPredictor"), use, workers=2)


@pytest.mark.parametrize(("how", "text"), [("kill", "SIGKILL"), ("raise", "exited with 1")])
def test_model_that_cannot_be_warmed_up_is_said_at_once(how: str, text: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelLoadError, match=text):
        pool("processes", order("Unloadable", how=how))
    assert not workers_of(os.getpid())
    assert ("this is what the model's own code says" in capfd.readouterr().err) == (how == "raise")


def test_error_at_the_warm_up_is_told_by_its_sentence_whatever_it_keeps() -> None:
    with pytest.raises(ModelLoadError, match=r"^There is no table of names\.$"):
        pool("processes", order("Unloadable", how="refuse"))


@linux
def test_nothing_is_left_when_the_engine_is_closed_or_killed() -> None:
    async def use(engine: Engine) -> None:
        assert len(workers_of(os.getpid())) == 3

    run("processes", order("BrightnessPredictor"), use, workers=3)
    assert workers_of(os.getpid()) == []
    made = pool("processes", order("BrightnessPredictor"))
    made.kill()
    made.kill()
    assert isinstance(made, ProcessPool)
    assert not fork_servers_of(os.getpid())


def test_forks_draw_different_random_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "drawn"
    folder.mkdir()

    async def use(engine: Engine) -> None:
        for _ in range(8):
            await outcomes(engine.submit(tasks(*[GREY] * 8)))

    run("processes", order("Drawing", folder=str(folder)), use, workers=4)
    drawn = [file.read_text().split() for file in folder.iterdir()]
    for numbers in zip(*drawn, strict=True):  # of Python, then of NumPy
        assert len(set(numbers)) == len(drawn) > 1
