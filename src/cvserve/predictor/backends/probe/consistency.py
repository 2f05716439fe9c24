"""Whether a model gives a picture its own answer: the same one twice, and the same one in company.

Dropout that was left on, statistics over the batch and random numbers give answers that no test by hand shows to be
wrong: they look right, and depend on chance or on company. All formats are tried in the same way.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvserve.devices import CPU, computes_beside
from cvserve.predictor.backends.fixed_batch import FixedBatchBackend
from cvserve.predictor.contract import Backend, scores_of
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.scores import to_rows
from cvserve.predictor.trial import remaining_s

# How far two answers about a picture may be apart: rounding, which depends on the size of the batch, and no more.
# The absolute part grows with the scores of the answer, since a small one among large ones is their difference.
_RELATIVE, _ABSOLUTE = 1e-3, 1e-4
_ABSOLUTE_FLOAT16, _ABSOLUTE_BFLOAT16 = 1e-2, 5e-2
# A model may be random only now and then, which a quick one is asked more often for.
_MOST_REPEATS, _REPEATS_S = 6, 0.02
_COPIES = 4
_ONE_BY_ONE = "one by one, since its scores depend on the company"
_WAYS_OUT = {
    "onnx": "export it in evaluation mode, without dropout and random operators",
    "torch": "call eval() before it is saved, and take random numbers and F.dropout without training=False out of it",
    "torch class": "take random numbers and F.dropout without training=False out of its class",
    "sklearn": "take the random step out of it, and save it again",
    "python": "call eval() on its network in setup, and take random numbers and counters out of infer",
}


class Checked(NamedTuple):
    """What came out.

    Attributes:
        backend: to be used: as it was, or one that asks about one picture at a time.
        answers: what the model gave for each picture alone, float64 [pictures, C]; perhaps for none.
        note: for people, when it is asked one by one; else None.
    """

    backend: Backend
    answers: NDArray[np.float64]
    note: str | None = None


def check_consistency(
    backend: Backend,
    samples: Sequence[NDArray[Any]],
    format_: str,
    explain: Callable[[], str | None],
    *,
    half: bool = False,
    device: str = CPU,
    repeats_s: float = _REPEATS_S,
) -> Checked:
    """Ask about pictures alone, together, and again: at most five runs of one or two pictures for a slow model.

    A model that fails on such a picture is not refused for it: it may want what is to be seen in real ones.

    Args:
        backend: has answered about a grey picture already.
        samples: different pictures, prepared, each a batch of one.
        format_: of the model, for the way out.
        explain: what is known to be wrong, e.g. a network in training mode, once it has been asked; None: nothing.
        half: whether it computes with 16 bits; so it does where that is what it takes.
        device: that it computes on. All but the CPU may round as float16 does (TF32), and take another kernel for
            another number of pictures.
        repeats_s: seconds for which it is asked again and again about the same picture, at least once.

    Raises:
        ModelFault: it gives the same picture two answers, or mixes pictures in a batch of a fixed size.
    """
    asked = [(one, answer) for one in samples if _has_time() and (answer := _ask(backend, one)) is not None]
    answers = [answer for _, answer in asked if answer.shape == asked[0][1].shape]
    if not asked:
        return Checked(backend, np.empty((0, 0)))
    tolerance = _choose_tolerance(samples[0], half=half, device=device)
    checked = _check_company(backend, asked, tolerance, repeats_s)
    is_same = _is_same_again(backend, *asked[0], tolerance, repeats_s)
    reason = explain()
    if reason is not None:
        raise ModelFault(reason)
    if not is_same:
        way_out = _WAYS_OUT.get(format_, "take what is random out of it, and what it remembers of other pictures")
        raise ModelFault(f"gives the same picture two different answers; {way_out}.")
    if checked is not backend and isinstance(backend, FixedBatchBackend):
        raise ModelFault(
            f"takes {backend.batch_size} pictures at a time and mixes them: the same picture gets other scores in "
            "other company; export it with a free batch or a batch of 1."
        )
    return Checked(checked, np.concatenate(answers), None if checked is backend else _ONE_BY_ONE)


def _check_company(
    backend: Backend, asked: Sequence[tuple[NDArray[Any], NDArray[np.float64]]], tolerance: float, repeats_s: float
) -> Backend:
    """The backend itself, or one that asks about one picture at a time where company changes answers."""
    if isinstance(backend, FixedBatchBackend) and backend.batch_size == 1:
        return backend
    if len({(sample.shape, answer.shape) for sample, answer in asked}) > 1 or not _has_time():
        return backend
    company = asked if len(asked) > 1 else [asked[0], asked[0]]
    pictures = np.concatenate([sample for sample, _ in company])
    alone = np.concatenate([answer for _, answer in company])
    begin = time.monotonic()
    for count in range(_MOST_REPEATS):
        spent_s = time.monotonic() - begin
        if count and spent_s * (_COPIES if count == 1 else 1) > repeats_s:
            break
        times = _COPIES if count else 1  # of two pictures that are shuffled, every other batch is in order
        together = _ask(backend, np.tile(pictures, (times, *[1] * (pictures.ndim - 1))))
        if together is None or not _is_same(np.tile(alone, (times, 1)), together, tolerance):
            return FixedBatchBackend(backend, 1)
    return backend


def _is_same_again(
    backend: Backend, sample: NDArray[Any], before: NDArray[np.float64], tolerance: float, repeats_s: float
) -> bool:
    """Whether a picture gets the answer that it got before; a quick model is asked several times."""
    end = time.monotonic() + repeats_s
    for count in range(_MOST_REPEATS):
        if not _has_time() or (count and time.monotonic() > end):
            break
        again = _ask(backend, sample)
        if again is None or not _is_same(before, again, tolerance):
            return False
    return True


def _ask(backend: Backend, batch: NDArray[Any]) -> NDArray[np.float64] | None:
    """Scores [N, C]; None where the model fails: on such a picture, or on so many."""
    try:
        return to_rows(scores_of(backend.infer(batch.copy())), len(batch), None)
    except (Exception, SystemExit):  # any model may fail in any way
        return None


def _is_same(one: NDArray[np.float64], other: NDArray[np.float64], tolerance: float) -> bool:
    if one.shape != other.shape:
        return False
    largest = np.abs(np.where(np.isfinite(one), one, 0)).max(axis=1, keepdims=True)
    allowed = tolerance * np.maximum(1, largest) + _RELATIVE * np.abs(one)
    with np.errstate(invalid="ignore"):  # infinity beside infinity
        is_close = np.abs(one - other) <= allowed
    return bool((is_close | (one == other) | (np.isnan(one) & np.isnan(other))).all())


def _choose_tolerance(sample: NDArray[Any], *, half: bool, device: str) -> float:
    if half:
        return _ABSOLUTE_BFLOAT16  # the coarser of the two that it may be
    return _ABSOLUTE_FLOAT16 if computes_beside(device) or sample.dtype == np.float16 else _ABSOLUTE


def _has_time() -> bool:
    """Whether the trial is not half over: a slow model is rather asked less than refused."""
    spent_s, left_s = remaining_s()
    return spent_s < left_s
