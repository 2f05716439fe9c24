"""ThreadEngine: many callers, natural batches, and nobody harmed by a neighbour."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cvserve.engine.task import Task
from cvserve.engine.threads import ThreadEngine
from cvserve.errors import InvalidImage, ModelError, NotReady, Overloaded, PredictTimeout
from cvserve.predictor.predictor import Predictor
from support.fakes import BrightnessPredictor, FailingPredictor, GatedPredictor
from support.pictures import grey

BLACK, WHITE, BROKEN = grey(0), grey(255), grey(0)[:40]


def run(predictor: Predictor, use: Callable[[ThreadEngine], Awaitable[Any]], **options: Any) -> Any:
    """What `use` gives on a started engine, which is closed after it."""

    async def main() -> Any:
        engine = ThreadEngine(predictor, **options)
        await engine.start()
        try:
            return await asyncio.wait_for(use(engine), 60)
        finally:
            if isinstance(predictor, GatedPredictor):
                predictor.gate.set()
            await engine.close()

    return asyncio.run(main())


def tasks(*pictures: bytes, top_k: int = 5) -> list[Task]:
    return [Task(picture, top_k) for picture in pictures]


async def entered(predictor: GatedPredictor) -> None:
    assert await asyncio.to_thread(predictor.entries.acquire, timeout=30)


def test_what_waits_while_the_model_works_becomes_one_batch() -> None:
    predictor = GatedPredictor()

    async def use(engine: ThreadEngine) -> list[int]:
        first = engine.submit(tasks(BLACK))
        await entered(predictor)
        rest = [future for _ in range(10) for future in engine.submit(tasks(WHITE))]
        predictor.gate.set()
        answers = await asyncio.gather(*first, *rest)
        return [answer.result for answer in answers]

    assert run(predictor, use) == [0, *[3] * 10]
    assert predictor.batch_sizes == [1, 10]


def test_batch_is_never_larger_than_the_limit() -> None:
    predictor = GatedPredictor()

    async def use(engine: ThreadEngine) -> None:
        first = engine.submit(tasks(BLACK))
        await entered(predictor)
        rest = engine.submit(tasks(*[BLACK] * 10))
        predictor.gate.set()
        await asyncio.gather(*first, *rest)

    run(predictor, use, max_batch_size=4)
    assert predictor.batch_sizes == [1, 4, 4, 2]


def test_one_bad_picture_fails_alone() -> None:
    async def use(engine: ThreadEngine) -> list[Any]:
        return await asyncio.gather(*engine.submit(tasks(BLACK, BROKEN, WHITE, b"", BLACK)), return_exceptions=True)

    outcomes = run(BrightnessPredictor(), use)
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "Prediction",
        "InvalidImage",
        "Prediction",
        "InvalidImage",
        "Prediction",
    ]
    assert isinstance(outcomes[1], InvalidImage)


def test_model_that_raises_on_a_batch_is_tried_one_by_one() -> None:
    async def use(engine: ThreadEngine) -> list[Any]:
        return await asyncio.gather(*engine.submit(tasks(BLACK, WHITE, BLACK)), return_exceptions=True)

    first, second, third = run(FailingPredictor(), use)
    assert (first.result, third.result) == (0, 0)
    assert isinstance(second, ModelError)
    assert "secret" not in str(second)


def test_waiter_that_was_cancelled_disturbs_no_neighbour_and_is_not_worked_on() -> None:
    predictor = GatedPredictor()

    async def use(engine: ThreadEngine) -> list[Any]:
        held = engine.submit(tasks(BLACK, BLACK))
        await entered(predictor)
        waiting = engine.submit(tasks(WHITE, WHITE, WHITE))
        held[0].cancel()  # a worker has it already
        waiting[1].cancel()  # nobody has it yet
        predictor.gate.set()
        return await asyncio.gather(*held, *waiting, return_exceptions=True)

    outcomes = run(predictor, use)
    assert [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes] == [True, False, False, True, False]
    assert predictor.batch_sizes == [2, 2]


def test_twenty_callers_of_which_one_leaves_give_nineteen_answers() -> None:
    predictor = GatedPredictor()

    async def use(engine: ThreadEngine) -> int:
        async def one() -> int:
            (future,) = engine.submit(tasks(WHITE))
            return (await future).result

        callers = [asyncio.create_task(one()) for _ in range(20)]
        await entered(predictor)
        callers[7].cancel()
        predictor.gate.set()
        outcomes = await asyncio.gather(*callers, return_exceptions=True)
        return sum(outcome == 3 for outcome in outcomes)

    assert run(predictor, use) == 19


class ShortPredictor(BrightnessPredictor):
    """Answers one row too few, or numbers that are none."""

    def __init__(self, spoil: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
        super().__init__()
        self.spoil = spoil

    def warm_up(self) -> "ShortPredictor":
        return self

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        return self.spoil(super().infer(batch))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s[:-1],
        lambda s: np.vstack([s, s]),
        lambda s: s * np.nan,
        lambda s: s / 0,
        lambda s: s[:, :2],
        lambda s: s[0, 0],
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_answer_of_another_shape_or_without_numbers_is_an_error_for_every_waiter(spoil: Any) -> None:
    async def use(engine: ThreadEngine) -> list[Any]:
        return await asyncio.gather(*engine.submit(tasks(BLACK, WHITE)), return_exceptions=True)

    assert all(isinstance(outcome, ModelError) for outcome in run(ShortPredictor(spoil), use))


def test_full_queue_refuses_at_once() -> None:
    predictor = GatedPredictor()

    async def use(engine: ThreadEngine) -> None:
        held = engine.submit(tasks(BLACK))
        await entered(predictor)
        waiting = engine.submit(tasks(BLACK, BLACK))
        with pytest.raises(Overloaded):
            engine.submit(tasks(BLACK))
        assert engine.waiting == 2
        predictor.gate.set()
        await asyncio.gather(*held, *waiting)
        await asyncio.gather(*engine.submit(tasks(BLACK)))

    run(predictor, use, max_queue=2)


def test_prediction_that_takes_too_long_ends_and_the_late_answer_is_dropped() -> None:
    predictor = GatedPredictor()

    async def use(engine: ThreadEngine) -> None:
        futures = engine.submit(tasks(BLACK, WHITE))
        for outcome in await asyncio.gather(*futures, return_exceptions=True):
            assert isinstance(outcome, PredictTimeout)
        predictor.gate.set()
        (answer,) = await asyncio.gather(*engine.submit(tasks(WHITE)))
        assert answer.result == 3

    run(predictor, use, predict_timeout=0.3)


def test_engine_that_is_not_warm_or_is_closed_takes_nothing() -> None:
    async def main() -> None:
        engine = ThreadEngine(BrightnessPredictor())
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

    asyncio.run(main())


def test_each_caller_gets_the_top_that_it_asked_for_also_within_one_batch() -> None:
    async def use(engine: ThreadEngine) -> list[int]:
        answers = await asyncio.gather(*engine.submit([Task(BLACK, top_k) for top_k in (1, 4, 2)]))
        return [len(answer.top) for answer in answers]

    assert run(BrightnessPredictor(), use) == [1, 4, 2]


def test_answers_carry_the_times_of_the_server() -> None:
    async def use(engine: ThreadEngine) -> Any:
        return await engine.submit(tasks(BLACK))[0]

    answer = run(BrightnessPredictor(), use)
    assert list(answer.timing_ms) == ["decode", "queue", "infer"]
    assert all(time_ms >= 0 for time_ms in answer.timing_ms.values())
    assert answer.source is None
