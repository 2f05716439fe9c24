"""What every endpoint that predicts has in common: classify pictures, store the results, return both."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from cvserve.answer import encode_json, encode_model, encode_text, encode_times, join_members
from cvserve.engine.engine import Engine
from cvserve.engine.task import Abandoned, Task
from cvserve.errors import CvserveError, HistoryError, Overloaded
from cvserve.history.record import to_row
from cvserve.logs.secret_mask import SecretMask
from cvserve.predictor.prediction import Prediction
from cvserve.server.context import RequestContext
from cvserve.server.disconnect import ClientGone
from cvserve.server.metrics import Metrics
from cvserve.server.rate_limit import RateLimiter
from cvserve.server.recorder import Recorder
from cvserve.server.uploads import Upload
from cvserve.store.columns import STEPS
from cvserve.store.rows import NewRow, Stored


class Recorded(NamedTuple):
    """A prediction that was stored.

    Attributes:
        row: what the model said, as it was stored.
        stored: its id and time.
        times: names of steps and their milliseconds as texts; `store` is the commit, waiting included.
    """

    row: NewRow
    stored: Stored
    times: list[tuple[str, str]]

    def to_json(self) -> str:
        """The answer to POST."""
        values, stored = self.row.values, self.stored
        warning = values["warning"]
        return join_members(
            {
                "id": stored.id,
                "result": values["result"],
                "label": encode_text(values["label"]),
                "score": values["score"],
                "top": values["top"],
                "model": encode_model(self.row.model),
                "created_at": f'"{stored.created_at}"',
                "timing_ms": encode_times(self.times),
                "warning": "null" if warning is None else encode_json(warning),
            }
        )

    def server_timing(self) -> bytes:
        """Format the header `Server-Timing` (W3C), in milliseconds."""
        return ", ".join([f"{step};dur={time_ms}" for step, time_ms in self.times]).encode("ascii")


def list_times(row: NewRow, store_ms: float) -> list[tuple[str, str]]:
    """The steps of one answer with their milliseconds as texts: once for the body and the header."""
    values = row.values
    times = [(step, str(values[name])) for step, name in STEPS if values[name] is not None]
    times.append(("store", str(store_ms)))
    return times


class PredictionService:
    """Classifies pictures and stores the predictions. A prediction is returned only once its row is committed.

    Args:
        engine: runs the model.
        recorder: stores rows.
        metrics: counts predictions and failed writes.
        mask: hides tokens in the names of files.
        rate_limiter: counts the pictures of a batch; None: a token may send any number.
    """

    def __init__(
        self,
        engine: Engine,
        recorder: Recorder,
        metrics: Metrics,
        mask: SecretMask,
        rate_limiter: RateLimiter | None = None,
    ) -> None:
        self._rate_limiter = rate_limiter
        self._engine = engine
        self._recorder = recorder
        self._metrics = metrics
        self._mask = mask

    def check_room(self, context: RequestContext) -> None:
        """Refuse a request before its body is read, when there is no place in the queue for whoever sends it.

        Raises:
            Overloaded: there is none.
        """
        self._engine.check_room(context.owner)

    async def predict(
        self,
        upload: Upload,
        top_k: int,
        context: RequestContext,
        source: str = "http",
        has_left: Callable[[], bool] | None = None,
    ) -> Recorded:
        """Classify one picture and store the prediction.

        Args:
            upload: the picture.
            top_k: how many classes the answer lists.
            context: of the request; the id of the row is written into it.
            source: how the picture came, for the row: `http` or another of the store's sources.
            has_left: tells, without waiting, that the client is gone; then a picture that still waits is dropped.

        Raises:
            CvserveError: it could not be classified or not be stored. Its traceback leads to the picture.
            ClientGone: it was dropped.
        """
        try:
            # The future has no name here: it holds its error, whose traceback holds this frame. If the frame held the
            # future, the three and the picture would stay until the garbage collector comes.
            prediction = await self._engine.submit([Task(upload.data, top_k)], has_left, context.owner)[0]
        except Abandoned:
            raise ClientGone from None
        (recorded,) = await self._record([prediction], [upload.file_name], context, source)
        return recorded

    async def predict_many(
        self,
        uploads: Sequence[Upload],
        top_k: int,
        context: RequestContext,
        source: str = "http",
        has_left: Callable[[], bool] | None = None,
    ) -> list[Recorded | CvserveError]:
        """Classify many pictures and store the predictions, all in one transaction.

        The engine admits all of them or none. A picture that cannot be classified does not harm the others.

        Returns:
            In the order of the pictures, for each what was stored or its error.

        Raises:
            Overloaded, NotReady: none was admitted, or all of them gave way to somebody who has less in the queue.
            HistoryError: none was stored.
            ClientGone: some were dropped, as the client had left.
        """
        tasks = [Task(upload.data, top_k) for upload in uploads]
        futures = self._engine.submit(tasks, has_left, context.owner)
        if self._rate_limiter is not None:
            self._rate_limiter.charge(context.owner, len(tasks) - 1)  # the first went with the request
        outcomes = await asyncio.gather(*futures, return_exceptions=True)
        if any(isinstance(outcome, Abandoned) for outcome in outcomes):
            raise ClientGone
        for outcome in outcomes:
            if isinstance(outcome, Overloaded):  # it gave way to somebody else, whole as it was admitted
                # A new one: its traceback will hold this frame, and that the old one.
                raise Overloaded(outcome.detail, outcome.reason)
        good = [
            (outcome, upload.file_name)
            for outcome, upload in zip(outcomes, uploads, strict=True)
            if isinstance(outcome, Prediction)
        ]
        predictions, names = [outcome for outcome, _ in good], [name for _, name in good]
        recorded = iter(await self._record(predictions, names, context, source) if good else [])
        answers: list[Recorded | CvserveError] = []
        for outcome in outcomes:
            if isinstance(outcome, Prediction):
                answers.append(next(recorded))
            elif isinstance(outcome, CvserveError):
                answers.append(outcome)
            else:
                raise outcome
        return answers

    async def _record(
        self,
        predictions: Sequence[Prediction],
        file_names: Sequence[str | None],
        context: RequestContext,
        source: str,
    ) -> list[Recorded]:
        rows = [
            to_row(
                prediction,
                source,
                file_name=file_name and self._mask.mask(file_name),
                token_id=context.owner,
                request_id=context.request_id,
                client=context.client,
            )
            for prediction, file_name in zip(predictions, file_names, strict=True)
        ]
        begin = time.perf_counter()
        try:
            stored = await self._recorder.record(rows)
        except HistoryError:
            self._metrics.count_failed_write()
            raise
        store_ms = round((time.perf_counter() - begin) * 1000, 3)
        for prediction in predictions:
            self._metrics.count_prediction(prediction, source, store_ms)
        context.prediction_id = ",".join(str(entry.id) for entry in stored)
        return [Recorded(row, entry, list_times(row, store_ms)) for row, entry in zip(rows, stored, strict=True)]
