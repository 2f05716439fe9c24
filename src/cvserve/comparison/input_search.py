"""Which other `[input]` makes a model's scores those of its framework: found by trying what is most often wrong."""

import dataclasses
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.comparison.candidates import VALUES, Change, complete, list_finishes, list_groups, list_pairs, vary
from cvserve.comparison.comparison import Compared, Comparison
from cvserve.predictor.contract import scores_of
from cvserve.predictor.images.decode import decode
from cvserve.predictor.images.limits import Want
from cvserve.predictor.models.input_spec import InputSpec
from cvserve.predictor.predictor import LoadedPredictor
from cvserve.predictor.scores import KINDS, to_probabilities

# What is tried takes no longer than this; most of it with a few pictures, what comes of it with many.
_LIMIT_S = 90.0
# What is not needed of it is then looked for this long.
_REDUCE_S = 30.0
_TWO_PICTURES, _FEW_PICTURES, _MANY_PICTURES = 2, 6, 64
_BATCH = 8
_ROUNDS = 2
# Of the pairs, those that come nearest are tried with the small differences too.
_NEAREST = 6
# A change that leaves more than this share of the difference is no cause.
_MUCH_BETTER = 0.2

Score = tuple[float, float]


class InputSearch:
    """Tries other values of `[input]` with the few pictures that differ most.

    Args:
        predictor: the model.
        comparison: of which some pictures differ.
        spec: the values of its `[input]`.

    Attributes:
        stopped_after_s: None if all was tried, or what was found is right; else the seconds after which time was up.
    """

    def __init__(self, predictor: LoadedPredictor, comparison: Comparison, spec: InputSpec) -> None:
        self._predictor = predictor
        self._tolerance = comparison.tolerance
        self._labels = comparison.labels
        self._kind = predictor.scores
        self._spec = spec
        # Those that differ most.
        self._few = comparison.apart[:_FEW_PICTURES]
        self._many = sorted(comparison.pictures, key=lambda entry: -entry.difference)[:_MANY_PICTURES]
        self._decoded: dict[Want, list[Image.Image]] = {}
        self._end = time.monotonic() + _LIMIT_S
        self._best, self._score = spec, (np.inf, np.inf)
        self.stopped_after_s: float | None = None

    def try_kinds(self) -> tuple[Change, float] | None:
        """Another kind of scores (soft-max, sigmoid or neither) that makes them the same, and what then differs."""
        for kind in KINDS[:-1]:
            rest = self._measure(self._spec, kind)[1]
            if rest <= self._tolerance:
                return {"scores": kind}, rest
        return None

    def try_inputs(self) -> tuple[Change, float] | None:
        """Other values of `[input]` that make the scores the same, or far closer; as few of them as will do.

        Returns:
            The values by key, and the largest difference that is left.
        """
        begin = self._score = self._measure(self._spec)
        is_all = self._try_groups() or self._try_pairs() or self._try_rounds()
        self.stopped_after_s = _LIMIT_S if self._is_late and not is_all else None
        if self._best == self._spec or (not is_all and self._score[0] > _MUCH_BETTER * begin[0]):
            return None
        self._end = time.monotonic() + _REDUCE_S
        change, rest = self._reduce(self._best, self._tolerance if is_all else self._score[1] * 1.01)
        return (complete(self._spec, change), rest) if change else None

    def _try_groups(self) -> bool:
        """Each group alone: a value that only comes nearer in one must not hide what is right in another."""
        return any(self._keep_best(vary(self._spec, group)) for group in list_groups(self._spec))

    def _try_pairs(self) -> bool:
        """Two groups at once: all of it with two pictures, the nearest with a few."""
        ranked = sorted(list_pairs(self._spec), key=lambda spec: self._measure(spec, count=_TWO_PICTURES))
        return any(self._keep_best(list_finishes(spec)) for spec in ranked[:_NEAREST])

    def _try_rounds(self) -> bool:
        """One group after the other, each from the best of those before."""
        for _ in range(_ROUNDS):
            before = self._score
            if any(self._keep_best(vary(self._best, group)) for group in list_groups(self._spec)):
                return True
            if self._score >= before:
                break
        return False

    def _keep_best(self, specs: Sequence[InputSpec]) -> bool:
        """Whether the best by now, which may be one of these, is near enough."""
        for spec in specs:
            score = self._measure(spec)
            if score < self._score:
                self._best, self._score = spec, score
        return self._score[1] <= self._tolerance

    def _reduce(self, best: InputSpec, limit: float) -> tuple[Change, float]:
        """The change from the model's own values, without what is not needed for it with any of the pictures."""
        change = {
            part.name: getattr(best, part.name)
            for part in dataclasses.fields(best)
            if getattr(best, part.name) != getattr(self._spec, part.name)
        }
        # Of values far too large all answers are sure, whatever the mean: what belongs to a scale goes with it.
        groups = [(key,) for key in change] if "scale" not in change else [(k,) for k in change if k not in VALUES]
        for group in groups:
            if self._is_late:
                break
            fewer = {name: value for name, value in change.items() if name not in group}
            if self._measure_all(dataclasses.replace(self._spec, **fewer)) <= limit:
                change = fewer
        return change, self._measure_all(dataclasses.replace(self._spec, **change))

    def _measure(self, spec: InputSpec, kind: str | None = None, count: int = _FEW_PICTURES) -> Score:
        """Mean and largest difference of all scores of the first of the few pictures; infinite when time is up."""
        if self._is_late:
            return np.inf, np.inf
        want = spec.want()
        if want not in self._decoded:
            self._decoded[want] = [self._open(entry, want) for entry in self._few]
        apart = self._compare(self._decoded[want][:count], self._few[:count], spec, kind)
        return float(apart.mean()), float(apart.max())

    @property
    def _is_late(self) -> bool:
        return time.monotonic() >= self._end

    def _measure_all(self, spec: InputSpec) -> float:
        """The largest difference of all scores of many pictures, which are opened anew."""
        largest = 0.0
        for start in range(0, len(self._many), _BATCH):
            entries = self._many[start : start + _BATCH]
            pictures = [self._open(entry, spec.want()) for entry in entries]
            largest = max(largest, float(self._compare(pictures, entries, spec, None).max()))
        return largest

    def _compare(
        self, pictures: Sequence[Image.Image], entries: Sequence[Compared], spec: InputSpec, kind: str | None
    ) -> NDArray[np.float64]:
        """How far all scores are apart; infinite for what the model cannot take."""
        reference = np.stack([entry.reference for entry in entries])
        try:
            batch = np.stack([spec.prepare(picture) for picture in pictures])
            scores = scores_of(self._predictor.infer(batch))
            own, _, _ = to_probabilities(scores, len(batch), self._labels, kind or self._kind)
        except Exception:  # the model may refuse what it is not made for in any way
            return np.full_like(reference, np.inf)
        return np.asarray(np.abs(own - reference))

    def _open(self, entry: Compared, want: Want) -> Image.Image:
        return decode(entry.path, want, self._predictor.limits)[0]
