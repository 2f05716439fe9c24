"""A model on a device: one batch at a time, decoded beside it, in sizes for which it was warmed up.

The device is a fake one, since none is needed to see in which sizes and by how many threads it is asked.
"""

import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cvserve.engine.device_batches import DeviceBatches
from cvserve.engine.engine import Engine
from cvserve.errors import CvserveError, InvalidImage
from cvserve.predictor.prediction import Prediction
from support.engines import KINDS, order, outcomes, run, tasks
from support.pictures import grey
from support.worker_fakes import OnDevice

DARK, LIGHT = grey(0), grey(100)


def sizes(folder: Path) -> list[int]:
    """Of the batches that reached the device."""
    return [int(line.split()[1]) for line in (folder / "sizes").read_text(encoding="ascii").splitlines()]


def on_device(folder: Path, **options: Any) -> OnDevice:
    predictor = OnDevice(str(folder), **options)
    predictor.ensure_set_up()
    return predictor


def test_each_size_is_met_before_anybody_waits(tmp_path: Path) -> None:
    predictor = on_device(tmp_path)
    predictor._max_batch_size = 16
    DeviceBatches(predictor).warm_up()
    assert sizes(tmp_path) == [2, 4, 8, 16]


def test_a_batch_comes_in_the_sizes_that_are_warm_and_in_order(tmp_path: Path) -> None:
    predictor = on_device(tmp_path)
    pictures = [DARK if number % 3 else LIGHT for number in range(37)]
    answers = DeviceBatches(predictor).predict_each(pictures, top_k=2)
    assert [answer.result for answer in answers if isinstance(answer, Prediction)] == [
        int(picture is LIGHT) for picture in pictures
    ]
    met = sizes(tmp_path)
    assert sum(met) == 37
    assert set(met) <= {1, 2, 4, 8, 16, 32}


def test_what_the_device_cannot_hold_never_comes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    batches = DeviceBatches(on_device(tmp_path, largest=4))
    batches.warm_up()
    assert "takes no batch of 8 pictures on npu:0: it is given 4 at once, at most" in caplog.text
    (tmp_path / "sizes").unlink()
    assert not [each for each in batches.predict_each([LIGHT] * 30, top_k=1) if isinstance(each, CvserveError)]
    assert max(sizes(tmp_path)) <= 4


def test_a_bad_picture_costs_itself_alone(tmp_path: Path) -> None:
    first, second, third = DeviceBatches(on_device(tmp_path)).predict_each([LIGHT, b"none", DARK], top_k=1)
    assert isinstance(second, InvalidImage)
    assert [answer.result for answer in (first, third) if isinstance(answer, Prediction)] == [1, 0]


def test_pictures_are_decoded_while_the_device_computes(tmp_path: Path) -> None:
    """The device waits for a picture of its own batch to be decoded, which nobody else but another thread can do."""
    met = threading.Event()

    class Waiting(OnDevice):
        def preprocess(self, image: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                seen.append(image)
                if len(seen) == 2:
                    met.set()
            return super().preprocess(image)

        def infer(self, batch: Any) -> Any:
            assert met.wait(30)
            return super().infer(batch)

    seen: list[Any] = []
    predictor = Waiting(str(tmp_path))
    predictor.ensure_set_up()
    assert len(DeviceBatches(predictor).predict_each([LIGHT, DARK], top_k=1)) == 2


def test_two_threads_have_the_device_one_by_one(tmp_path: Path) -> None:
    both_decoded = threading.Barrier(2)

    class Shared(OnDevice):
        def preprocess(self, image: Any) -> Any:
            both_decoded.wait(30)
            return super().preprocess(image)

        def infer(self, batch: Any) -> Any:
            assert self.busy.acquire(blocking=False), "two batches on the device at once"
            for _ in range(2_000):  # whoever else may come, comes now
                os.sched_yield()
            self.busy.release()
            return super().infer(batch)

    predictor = Shared(str(tmp_path))
    predictor.ensure_set_up()
    both = [DeviceBatches(predictor) for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda batches: batches.predict_each([LIGHT], top_k=1)[0], both))
    assert [answer.result for answer in answers if isinstance(answer, Prediction)] == [1, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_workers_have_the_device_one_by_one(kind: str, tmp_path: Path) -> None:
    async def use(engine: Engine) -> list[Any]:
        return await outcomes(engine.submit(tasks(*[LIGHT] * 40)))

    answers = run(kind, order("OnDevice", folder=str(tmp_path)), use, workers=1 if kind == "processes" else 3)
    assert {answer.result for answer in answers} == {1}
    assert {answer.model.device for answer in answers} == {"npu:0"}
    counted = Counter(sizes(tmp_path))
    assert {2, 4, 8, 16, 32, 64} <= set(counted)
