"""The types `Counter` and `Histogram`, of which `metrics.py` keeps its own: plain lists, so that counting is cheap.

A metric has one cell for each combination of label values. Code that counts often looks its cell up once and keeps it.

Only the event loop writes. A scrape reads in another thread: each copy it takes is one step of the interpreter, so
no list changes while it is copied.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

OTHER = "other"
Key = tuple[str, ...]
Observe = Callable[[float], None]


class Counter:
    """A number that only grows, one for each combination of label values.

    Args:
        name: name of the metric, such as `cvserve_rejected_total`.
        labels: names of its labels.
        meaning: one sentence for the page of metrics.
        known: label values that are there from the start with 0, so that Prometheus sees the first event as a rise.
    """

    kind: ClassVar = "counter"

    def __init__(self, name: str, labels: Sequence[str], meaning: str, known: Iterable[Key] = ()) -> None:
        self.name, self.labels, self.meaning = name, tuple(labels), meaning
        self._cells: dict[Key, list[float]] = {key: [0] for key in known}

    def cell(self, key: Key) -> list[float]:
        """Return the cell of these label values: a list of one number, to be added to."""
        return self._cells.setdefault(key, [0])

    def add(self, key: Key, amount: float = 1) -> None:
        """Add to one cell; for events that are rare, as the cell is looked up each time."""
        self.cell(key)[0] += amount

    def read(self) -> list[tuple[Key, float]]:
        """Return all label values with their numbers as they are now."""
        return [(key, cell[0]) for key, cell in list(self._cells.items())]


class Histogram:
    """How many values fell into which bucket, one histogram for each combination of label values.

    Args:
        name: name of the metric.
        labels: names of its labels.
        meaning: one sentence for the page of metrics.
        bounds: upper ends of the buckets, included, ascending; larger values go into one more bucket.
    """

    kind: ClassVar = "histogram"

    def __init__(self, name: str, labels: Sequence[str], meaning: str, bounds: Sequence[float]) -> None:
        self.name, self.labels, self.meaning = name, tuple(labels), meaning
        self.bounds = tuple(bounds)
        # A list for each key: a number for each bucket, one for what is larger than all of them, and the sum.
        self._series: dict[Key, list[float]] = {}

    def cell(self, key: Key) -> Observe:
        """Return the function that counts a value for these label values."""
        bounds, bucket_of = self.bounds, bisect_left
        series = self._series.setdefault(key, [0] * (len(bounds) + 2))

        def observe(value: float) -> None:  # a closure is called twice as fast as a method that looks things up
            series[bucket_of(bounds, value)] += 1
            series[-1] += value

        return observe

    def read(self) -> list[tuple[Key, list[float], float]]:
        """Return label values, the count of each bucket (not cumulative), and the sum of all values."""
        copies = [(key, series.copy()) for key, series in list(self._series.items())]
        return [(key, series[:-1], series[-1]) for key, series in copies]


class LabelLimiter:
    """Keeps the number of values of a label within a limit, where callers choose the values.

    Each value is a time series that Prometheus keeps for good. The first `most` values are shown by name, all later
    ones as `other`.

    Args:
        most: number of different values that are shown by name.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def limit(self, value: str) -> str:
        """Return the value to show."""
        if value in self._known:
            return value
        if len(self._known) >= self._most:
            return OTHER
        self._known.add(value)
        return value
