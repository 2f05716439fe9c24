"""Batches for a device: pictures are decoded beside it, and it computes meanwhile whatever is ready.

It is given powers of two, so that it meets no size for the first time while somebody waits: libraries look for the best
kernel, or make one, for each size that they have not seen.
"""

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np

from cvserve.cores import usable_cores
from cvserve.engine.task import Outcome
from cvserve.errors import CvserveError
from cvserve.predictor.batch import Decoded, decode_batch, model_error
from cvserve.predictor.images.decode import make_sample
from cvserve.predictor.predictor import Predictor

# One batch on the device at a time, whichever of this process's threads brings it: two would share its memory.
_device = threading.Lock()
# The warm-up ends with the first size after so many seconds; TensorRT takes minutes for some.
_WARM_UP_S = 30.0


class _Ready(NamedTuple):
    """A picture that is decoded and prepared, or the reason why not, and its place in the batch."""

    place: int
    entry: Decoded | CvserveError


class DeviceBatches:
    """Answers batches by a predictor that computes on a device.

    Args:
        predictor: set up; its `preprocess` is called on several threads.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._largest = predictor._max_batch_size
        # One core is for the thread that keeps the device at work.
        self._decoders = ThreadPoolExecutor(max(1, usable_cores() - 1), "cvserve-decode")

    def warm_up(self) -> None:
        """Run a batch of each size that will come; one that is too large for the device will not come."""
        sample = make_sample(self._predictor.warm_up_size(), self._predictor.limits.formats[0])
        entry = self._decode(sample)
        if isinstance(entry, CvserveError):
            raise entry
        begin = time.monotonic()
        size = 2
        while size <= self._largest and time.monotonic() - begin < _WARM_UP_S:
            try:
                with _device:
                    self._predictor.infer(np.stack([entry.array] * size))
            except Exception:  # its memory is full, or the model takes no batches of that size
                self._largest = size // 2
                text = "%s takes no batch of %d pictures on %s: it is given %d at once, at most"
                info = self._predictor.info
                logging.getLogger("cvserve").warning(text, info.name, size, info.device, self._largest)
            size *= 2

    def predict_each(self, images: Sequence[Any], *, top_k: int, keep_source: bool = False) -> list[Outcome]:
        """An answer or an error for each picture, in order, as `Predictor.predict_each` gives them.

        Args:
            images: encoded pictures.
            top_k: length of `top`, from 1.
            keep_source: never: a server's answers do not remember their pictures.
        """
        outcomes: dict[int, Outcome] = {}
        decoded: SimpleQueue[_Ready] = SimpleQueue()
        for place, image in enumerate(images):
            self._decoders.submit(self._decode_into, decoded, place, image)
        ready: list[_Ready] = []
        while len(outcomes) < len(images):
            if not ready:
                ready.append(decoded.get())
            while not decoded.empty():  # nobody else takes from it
                ready.append(decoded.get())
            size = min(1 << (len(ready).bit_length() - 1), self._largest)
            batch, ready = ready[:size], ready[size:]
            with _device:
                answers = self._predictor._infer_each([entry for _, entry in batch], top_k=top_k)
            outcomes.update((place, answer) for (place, _), answer in zip(batch, answers, strict=True))
        return [outcomes[place] for place in range(len(images))]

    def _decode_into(self, decoded: SimpleQueue[_Ready], place: int, image: Any) -> None:
        try:
            entry = self._decode(image)
        except BaseException as error:  # whoever waits for it must hear of it
            entry = model_error("preprocess", error)
        decoded.put(_Ready(place, entry))

    def _decode(self, image: Any) -> Decoded | CvserveError:
        predictor = self._predictor
        (entry,) = decode_batch([image], predictor.want(), predictor.limits, predictor.preprocess)
        return entry
