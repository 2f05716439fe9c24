"""Engine: many callers, natural batches, and nobody harmed by a neighbour; the same on threads and on processes."""

import asyncio
import weakref
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cvserve.engine.engine import Engine
from cvserve.engine.task import Abandoned, Task
from cvserve.errors import ImageError, InvalidImage, ModelError, NotReady, Overloaded, PredictTimeout
from cvserve.predictor.prediction import Prediction
from support.engines import KINDS, Counts, happens, order, outcomes, pool, run, tasks
from support.every_error import every_error
from support.gate import Gate
from support.pictures import grey

BLACK, WHITE, BROKEN = grey(0), grey(255), grey(0)[:40]
pytestmark = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def gate(tmp_path: Path) -> Any:
    folder = tmp_path / "gate"
    folder.mkdir()
    gate = Gate(folder)
    yield gate
    gate.close()


def gated(tmp_path: Path) -> Any:
    return order("GatedByFiles", folder=str(tmp_path / "gate"))


def test_what_waits_while_the_model_works_becomes_one_batch(kind: str, gate: Gate, tmp_path: Path) -> None:
    async def use(engine: Engine) -> list[int]:
        first = engine.submit(tasks(BLACK))
        await happens(lambda: gate.batch_sizes == [1])
        rest = [future for _ in range(10) for future in engine.submit(tasks(WHITE))]
        gate.open()
        return [answer.result for answer in await asyncio.gather(*first, *rest)]

    assert run(kind, gated(tmp_path), use) == [0, *[3] * 10]
    assert gate.batch_sizes == [1, 10]


def test_what_comes_in_one_turn_of_the_loop_is_one_batch(kind: str, gate: Gate, tmp_path: Path) -> None:
    gate.open()

    async def use(engine: Engine) -> None:
        await outcomes([future for _ in range(5) for future in engine.submit(tasks(BLACK))])

    run(kind, gated(tmp_path), use)
    assert gate.batch_sizes == [5]


def test_batch_is_never_larger_than_the_limit(kind: str, gate: Gate, tmp_path: Path) -> None:
    gate.open()

    async def use(engine: Engine) -> None:
        await asyncio.gather(*engine.submit(tasks(*[BLACK] * 10)))

    run(kind, gated(tmp_path), use, max_batch_size=4)
    assert gate.batch_sizes == [4, 4, 2]


def test_free_workers_share_what_waits(kind: str, gate: Gate, tmp_path: Path) -> None:
    async def use(engine: Engine) -> None:
        futures = engine.submit(tasks(*[BLACK] * 9))
        await happens(lambda: len(gate.batch_sizes) == 2)
        gate.open()
        await asyncio.gather(*futures)

    run(kind, gated(tmp_path), use, workers=2)
    assert sorted(gate.batch_sizes) == [4, 5]


def test_one_bad_picture_fails_alone(kind: str) -> None:
    async def use(engine: Engine) -> list[Any]:
        return await outcomes(engine.submit(tasks(BLACK, BROKEN, WHITE, b"", BLACK)))

    found = run(kind, order("BrightnessPredictor"), use)
    names = [type(outcome).__name__ for outcome in found]
    assert names == ["Prediction", "InvalidImage", "Prediction", "InvalidImage", "Prediction"]
    assert str(found[3]) == "The picture is empty (0 bytes)."


def test_model_that_raises_on_a_batch_is_tried_one_by_one(kind: str) -> None:
    async def use(engine: Engine) -> list[Any]:
        return await outcomes(engine.submit(tasks(BLACK, WHITE, BLACK)))

    first, second, third = run(kind, order("FailingPredictor"), use)
    assert (first.result, third.result) == (0, 0)
    assert isinstance(second, ModelError)
    assert "secret" not in str(second)
    assert "secret text of a library" in repr(second.__cause__)  # for the log


def test_error_of_ours_that_a_preprocess_raises_is_an_answer_and_costs_no_worker(kind: str) -> None:
    counts, errors = Counts(), every_error()
    pictures = [grey(level) for level in range(len(errors))]

    async def use(engine: Engine) -> list[Any]:
        first = await outcomes(engine.submit(tasks(*pictures, WHITE)))
        return [*first, *await outcomes(engine.submit(tasks(*pictures, WHITE)))]  # the same again: none is refused

    found = run(kind, order("Raising"), use, observer=counts)
    expected = [type(error) if isinstance(error, ImageError) else ModelError for error in errors]
    assert [type(outcome) for outcome in found] == [*expected, Prediction] * 2
    assert counts.restarts == []


def test_error_of_a_users_class_comes_through_whatever_it_keeps(kind: str) -> None:
    async def use(engine: Engine) -> list[Any]:
        return await outcomes(engine.submit(tasks(BLACK, WHITE)))

    for error in run(kind, order("Refusing"), use):
        assert isinstance(error, InvalidImage)
        assert str(error) == "This picture is too blurred."
        assert vars(error)["sharpness"] == 0.25


def test_warning_that_is_no_text_fails_its_own_picture_only(kind: str) -> None:
    async def use(engine: Engine) -> list[Any]:
        return await outcomes(engine.submit(tasks(WHITE, BLACK, WHITE)))

    first, second, third = run(kind, order("WarningInBytes"), use)
    assert (first.result, third.result) == (3, 3)
    assert isinstance(second, ModelError)
    assert str(second) == "The model gave a warning that is no text."


@pytest.mark.parametrize(
    "how", ["too few rows", "too many rows", "not a number", "infinite", "too few classes", "a number"]
)
def test_answer_of_another_shape_or_without_numbers_is_an_error_for_every_waiter(kind: str, how: str) -> None:
    async def use(engine: Engine) -> list[Any]:
        return await outcomes(engine.submit(tasks(BLACK, WHITE)))

    assert all(isinstance(outcome, ModelError) for outcome in run(kind, order("Spoiling", how=how), use))


def test_waiter_that_was_cancelled_disturbs_no_neighbour_and_is_not_worked_on(
    kind: str, gate: Gate, tmp_path: Path
) -> None:
    async def use(engine: Engine) -> list[Any]:
        held = engine.submit(tasks(BLACK, BLACK))
        await happens(lambda: gate.batch_sizes == [2])
        waiting = engine.submit(tasks(WHITE, WHITE, WHITE))
        held[0].cancel()  # a worker has it already
        waiting[1].cancel()  # nobody has it yet
        gate.open()
        return await outcomes([*held, *waiting])

    found = run(kind, gated(tmp_path), use)
    assert [isinstance(outcome, asyncio.CancelledError) for outcome in found] == [True, False, False, True, False]
    assert gate.batch_sizes == [2, 2]


def test_picture_whose_sender_has_left_never_reaches_a_worker(kind: str, gate: Gate, tmp_path: Path) -> None:
    left: set[int] = set()

    async def use(engine: Engine) -> list[Any]:
        held = engine.submit(tasks(BLACK))
        await happens(lambda: gate.batch_sizes == [1])
        waiting = [engine.submit(tasks(WHITE), partial(left.__contains__, number))[0] for number in range(3)]
        left.add(1)
        gate.open()
        return await outcomes([*held, *waiting])

    found = run(kind, gated(tmp_path), use)
    assert [isinstance(outcome, Abandoned) for outcome in found] == [False, False, True, False]
    assert gate.batch_sizes == [1, 2]


def test_full_queue_refuses_at_once_in_requests_and_in_bytes(kind: str, gate: Gate, tmp_path: Path) -> None:
    async def use(engine: Engine) -> None:
        held = engine.submit(tasks(BLACK))
        await happens(lambda: gate.batch_sizes == [1])
        waiting = engine.submit(tasks(BLACK, BLACK))
        for _ in range(2):
            with pytest.raises(Overloaded):
                engine.submit(tasks(BLACK))
        assert engine.waiting == 2
        waiting.pop().cancel()
        waiting.pop().cancel()
        gate.open()
        await asyncio.gather(*held)
        await asyncio.gather(*engine.submit(tasks(BLACK)))

    run(kind, gated(tmp_path), use, max_queue=2)


def test_who_sends_much_waits_behind_who_sends_little_and_gives_way_in_a_full_queue(
    kind: str, gate: Gate, tmp_path: Path
) -> None:
    async def use(engine: Engine) -> list[Any]:
        held = engine.submit(tasks(BLACK), owner="hog")
        await happens(lambda: gate.batch_sizes == [1])
        hog = [future for _ in range(6) for future in engine.submit(tasks(BLACK), owner="hog")]
        small = engine.submit(tasks(WHITE), owner="small")
        order_of_ends: list[str] = []
        small[0].add_done_callback(lambda _: order_of_ends.append("small"))
        hog[1].add_done_callback(lambda _: order_of_ends.append("hog"))
        gate.open()
        found = await outcomes([*held, *hog, *small])
        assert order_of_ends == ["small", "hog"]
        return found

    found = run(kind, gated(tmp_path), use, max_queue=6)
    assert [getattr(outcome, "result", type(outcome)) for outcome in found] == [*[0] * 6, Overloaded, 3]
    assert gate.batch_sizes[:2] == [1, 2]  # one of each, and not all that waited


def test_pictures_that_are_much_work_leave_a_worker_to_others(kind: str, gate: Gate, tmp_path: Path) -> None:
    heavy = grey(0, (3_000, 3_000))

    async def use(engine: Engine) -> list[int]:
        futures = [future for _ in range(3) for future in engine.submit(tasks(heavy), owner="hog")]
        futures += [future for _ in range(2) for future in engine.submit(tasks(WHITE), owner="small")]
        await happens(lambda: len(gate.batch_sizes) == 2)
        sizes = gate.batch_sizes
        gate.open()
        await outcomes(futures)
        return sizes

    # One heavy picture by itself; the other worker takes both small ones, before any of the heavy ones that wait.
    assert sorted(run(kind, gated(tmp_path), use, workers=2)) == [1, 2]


def test_future_that_has_ended_is_let_go_while_an_older_one_is_still_waited_for(
    kind: str, gate: Gate, tmp_path: Path
) -> None:
    async def use(engine: Engine) -> None:
        held = engine.submit(tasks(BLACK))
        await happens(lambda: gate.batch_sizes == [1])
        broken = engine.submit(tasks(BROKEN))
        ended = weakref.ref(broken[0])
        assert isinstance((await outcomes(broken))[0], InvalidImage)
        broken.clear()
        await happens(lambda: ended() is None)
        gate.open()
        await outcomes(held)

    run(kind, gated(tmp_path), use, workers=2)


def test_prediction_that_takes_too_long_ends_and_the_late_answer_is_dropped(
    kind: str, gate: Gate, tmp_path: Path
) -> None:
    async def use(engine: Engine) -> None:
        for outcome in await outcomes(engine.submit(tasks(BLACK, WHITE))):
            assert isinstance(outcome, PredictTimeout)
        gate.open()
        await happens(lambda: engine.live_workers == 1)
        (answer,) = await asyncio.gather(*engine.submit(tasks(grey(100))))
        assert answer.result == 1

    run(kind, gated(tmp_path), use, predict_timeout=1.5)


def test_engine_that_is_not_started_or_is_closed_takes_nothing(kind: str) -> None:
    made = pool(kind, order("BrightnessPredictor"))

    async def main() -> None:
        engine = Engine(made)
        assert not engine.is_ready
        with pytest.raises(NotReady):
            engine.submit(tasks(BLACK))
        await engine.start()
        assert engine.is_ready
        futures = engine.submit(tasks(*[BLACK] * 20))
        closing = asyncio.create_task(engine.close())
        answers = await asyncio.gather(*futures)
        await closing
        assert len(answers) == 20
        assert not engine.is_ready
        with pytest.raises(NotReady):
            engine.submit(tasks(BLACK))

    try:
        asyncio.run(main())
    finally:
        made.kill()


def test_each_caller_gets_the_top_that_it_asked_for_also_within_one_batch(kind: str) -> None:
    async def use(engine: Engine) -> list[int]:
        answers = await asyncio.gather(*engine.submit([Task(BLACK, top_k) for top_k in (1, 4, 2)]))
        return [len(answer.top) for answer in answers]

    assert run(kind, order("BrightnessPredictor"), use) == [1, 4, 2]


def test_answers_are_the_same_as_those_of_the_library_but_for_their_times(kind: str) -> None:
    from support.fakes import BrightnessPredictor

    async def use(engine: Engine) -> Any:
        return await engine.submit(tasks(WHITE))[0]

    answer = run(kind, order("BrightnessPredictor"), use)
    assert set(answer.timing_ms) == {"decode", "queue", "infer"}
    assert all(time_ms >= 0 for time_ms in answer.timing_ms.values())
    assert answer.source is None
    own = BrightnessPredictor().predict(WHITE)
    assert (answer.top, answer.label, answer.model, answer.image) == (own.top, own.label, own.model, own.image)


def test_batches_are_counted(kind: str) -> None:
    counts = Counts()

    async def use(engine: Engine) -> None:
        await asyncio.gather(*engine.submit(tasks(BLACK, BLACK, BLACK)))
        await outcomes(engine.submit(tasks(BROKEN)))

    run(kind, order("BrightnessPredictor"), use, observer=counts)
    assert counts.batches == [3, 1]
    assert counts.restarts == []


def test_broken_picture_says_the_same_on_both(kind: str) -> None:
    async def use(engine: Engine) -> Any:
        return (await outcomes(engine.submit(tasks(BROKEN))))[0]

    error = run(kind, order("BrightnessPredictor"), use)
    assert type(error) is InvalidImage
    assert str(error) == "The PNG cannot be decoded: it is damaged or cut off."
