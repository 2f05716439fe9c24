"""Jobs: how the future of one who waits ends."""

import asyncio

from cvserve.engine.job import Job
from cvserve.engine.task import Task
from cvserve.predictor.prediction import Prediction
from support.predictions import prediction


def test_answer_has_its_time_in_the_queue_and_what_the_worker_gave_stays_as_it_was() -> None:
    given = prediction()  # a thread's predictor may keep what it answered, or answer twice with one object

    async def answers() -> list[Prediction]:
        loop = asyncio.get_running_loop()
        jobs = [Job(Task(b"picture", 5), loop.create_future(), submitted_at=float(second)) for second in (0, 3)]
        for job in jobs:
            job.resolve(given, given_at=4.0)
        return [await job.future for job in jobs]

    waited_long, waited_short = asyncio.run(answers())
    assert waited_long.timing_ms == {"decode": 1.5, "infer": 0.5, "queue": 4_000.0}
    assert waited_short.timing_ms == {"decode": 1.5, "infer": 0.5, "queue": 1_000.0}
    assert given.timing_ms == {"decode": 1.5, "infer": 0.5}
