"""Which other `[input]` makes a model's scores those of its framework: found by trying what is most often wrong."""

import dataclasses
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.comparison.comparison import Compared, Comparison
from cvserve.predictor.contract import scores_of
from cvserve.predictor.images.decode import decode
from cvserve.predictor.images.limits import Want
from cvserve.predictor.models.config.presets import PRESETS
from cvserve.predictor.models.input_spec import InputSpec
from cvserve.predictor.predictor import LoadedPredictor
from cvserve.predictor.scores import KINDS, to_probabilities

# What is tried takes no longer than this; most of it with a few pictures, what comes of it with many.
_LIMIT_S = 90.0
_FEW_PICTURES, _MANY_PICTURES = 6, 64
_BATCH = 8
_ROUNDS = 2
# A change that leaves more than this share of the difference is no cause.
_MUCH_BETTER = 0.2
_VALUES = ("scale", "mean", "std")

Change = dict[str, Any]
_COLOUR: tuple[Change, ...] = (
    {"scale": 1 / 255, "mean": (0.0,), "std": (1.0,)},
    {"scale": 1.0, "mean": (0.0,), "std": (1.0,)},
    {"scale": 1.0, "mean": (123.68, 116.779, 103.939), "std": (1.0,)},
    *({key: preset[key] for key in _VALUES} for preset in PRESETS.values()),
)
_GREY: tuple[Change, ...] = (
    {"scale": 1 / 255, "mean": (0.0,), "std": (1.0,)},
    {"scale": 1.0, "mean": (0.0,), "std": (1.0,)},
    {"scale": 1 / 255, "mean": (0.5,), "std": (0.5,)},
    {"scale": 1 / 255, "mean": (0.1307,), "std": (0.3081,)},
)
_FITS: tuple[Change, ...] = (
    {"resize": "stretch", "crop_ratio": 1.0},
    {"resize": "crop", "crop_ratio": 1.0},
    {"resize": "crop", "crop_ratio": 0.95},
    {"resize": "crop", "crop_ratio": 0.9},
    {"resize": "crop", "crop_ratio": 0.875},
    {"resize": "crop", "crop_ratio": 224 / 232},
    {"resize": "squash", "crop_ratio": 0.875},
    {"resize": "pad", "crop_ratio": 1.0},
)
_FILTERS: tuple[Change, ...] = tuple(
    {"resample": name} for name in ("bilinear", "bicubic", "nearest", "lanczos", "box")
)


class InputSearch:
    """Tries other values of `[input]` with the few pictures that differ most.

    Args:
        predictor: the model.
        comparison: of which some pictures differ.
        spec: the values of its `[input]`.
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
        best, begin = self._spec, self._measure(self._spec)
        score = begin
        for _ in range(_ROUNDS):
            before = score
            for step in self._steps():
                best, score = min(
                    [(best, score), *((spec, self._measure(spec)) for spec in _vary(best, step))],
                    key=lambda found: found[1],
                )
                if score[1] <= self._tolerance:
                    break
            if score[1] <= self._tolerance or score >= before:
                break
        is_all = score[1] <= self._tolerance
        if not is_all and score[0] > _MUCH_BETTER * begin[0]:
            return None
        limit = self._tolerance if is_all else score[1] * 1.01
        change, rest = self._reduce(best, limit)
        return (change, rest) if change else None

    def _steps(self) -> Iterator[list[Change]]:
        """Groups of changes, of each of which one is right: what belongs together is tried together."""
        yield [{"decode": "exact"}]
        values = _GREY if self._spec.channels == 1 else _COLOUR
        modes: list[Change] = [{}] if self._spec.channels == 1 else [{"mode": "RGB"}, {"mode": "BGR"}]
        yield [{**value, **mode, "invert": invert} for value in values for mode in modes for invert in (False, True)]
        fits = [*({key: getattr(self._spec, key) for key in ("resize", "crop_ratio")},), *_FITS]
        yield [{**fit, **filter_, "decode": "exact"} for fit in fits for filter_ in _FILTERS]
        yield [{"crop_rounding": rounding} for rounding in ("down", "nearest")]
        yield [{"size": self._spec.size[::-1]}]

    def _reduce(self, best: InputSpec, limit: float) -> tuple[Change, float]:
        """The change from the model's own values, without what is not needed for it with any of the pictures."""
        change = {
            part.name: getattr(best, part.name)
            for part in dataclasses.fields(best)
            if getattr(best, part.name) != getattr(self._spec, part.name)
        }
        # Of values far too large all answers are sure, whatever the mean: what belongs to a scale goes with it.
        groups = [(key,) for key in change] if "scale" not in change else [(k,) for k in change if k not in _VALUES]
        for group in groups:
            fewer = {name: value for name, value in change.items() if name not in group}
            if self._measure_all(dataclasses.replace(self._spec, **fewer)) <= limit:
                change = fewer
        return change, self._measure_all(dataclasses.replace(self._spec, **change))

    def _measure(self, spec: InputSpec, kind: str | None = None) -> tuple[float, float]:
        """Mean and largest difference of all scores of the few pictures."""
        want = spec.want()
        if want not in self._decoded:
            self._decoded[want] = [self._open(entry, want) for entry in self._few]
        apart = self._compare(self._decoded[want], self._few, spec, kind)
        return float(apart.mean()), float(apart.max())

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
        """How far all scores are apart; infinite for what the model cannot take, or when time is up."""
        reference = np.stack([entry.reference for entry in entries])
        if time.monotonic() > self._end:
            return np.full_like(reference, np.inf)
        try:
            batch = np.stack([spec.prepare(picture) for picture in pictures])
            scores = scores_of(self._predictor.infer(batch))
            own, _, _ = to_probabilities(scores, len(batch), self._labels, kind or self._kind)
        except Exception:  # the model may refuse what it is not made for in any way
            return np.full_like(reference, np.inf)
        return np.asarray(np.abs(own - reference))

    def _open(self, entry: Compared, want: Want) -> Image.Image:
        return decode(entry.path, want, self._predictor.limits)[0]


def _vary(spec: InputSpec, changes: list[Change]) -> Iterator[InputSpec]:
    known = {part.name for part in dataclasses.fields(spec)}
    for change in changes:
        varied = dataclasses.replace(spec, **{key: value for key, value in change.items() if key in known})
        if varied != spec:
            yield varied
