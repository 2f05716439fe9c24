"""Plain counters and histograms: what a request pays for being counted is some steps in lists.

Whoever counts often asks once for the cell of its labels, and keeps it.

Only the event loop writes. A scrape reads in a thread: each copy it takes is one step of the interpreter, so
nothing it goes through can change under its hands.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

OTHER = "other"
Key = tuple[str, ...]
Observe = Callable[[float], None]


class Counter:
    """What only grows, by the values of its labels.

    Args:
        name: of the metric.
        labels: their names.
        meaning: one sentence.
        known: values of the labels that are there from the start with 0: the first event is seen as a rise.
    """

    kind: ClassVar = "counter"

    def __init__(self, name: str, labels: Sequence[str], meaning: str, known: Iterable[Key] = ()) -> None:
        self.name, self.labels, self.meaning = name, tuple(labels), meaning
        self._cells: dict[Key, list[float]] = {key: [0] for key in known}

    def cell(self, key: Key) -> list[float]:
        """A list of one number, to be added to."""
        return self._cells.setdefault(key, [0])

    def add(self, key: Key, amount: float = 1) -> None:
        """Count, where it is rare."""
        self.cell(key)[0] += amount

    def read(self) -> list[tuple[Key, float]]:
        """All values as they are now."""
        return [(key, cell[0]) for key, cell in list(self._cells.items())]


class Histogram:
    """How often which size was seen, by the values of its labels.

    Args:
        name, labels, meaning: as for `Counter`.
        bounds: upper ends of the buckets, included, ascending.
    """

    kind: ClassVar = "histogram"

    def __init__(self, name: str, labels: Sequence[str], meaning: str, bounds: Sequence[float]) -> None:
        self.name, self.labels, self.meaning = name, tuple(labels), meaning
        self.bounds = tuple(bounds)
        # A list for each key: a number for each bucket, one for what is larger than all of them, and the sum.
        self._series: dict[Key, list[float]] = {}

    def cell(self, key: Key) -> Observe:
        """To be called with each value."""
        bounds, bucket_of = self.bounds, bisect_left
        series = self._series.setdefault(key, [0] * (len(bounds) + 2))

        def observe(value: float) -> None:  # a closure is called twice as fast as a method that looks things up
            series[bucket_of(bounds, value)] += 1
            series[-1] += value

        return observe

    def read(self) -> list[tuple[Key, list[float], float]]:
        """Key, numbers that are not summed up yet, and the sum of the values."""
        copies = [(key, series.copy()) for key, series in list(self._series.items())]
        return [(key, series[:-1], series[-1]) for key, series in copies]


class Bounded:
    """The values of a label that others choose: the first so many by name, all later ones as `other`.

    Args:
        most: different values; each costs the reader a series for good.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        """The value to show."""
        if value in self._known:
            return value
        if len(self._known) >= self._most:
            return OTHER
        self._known.add(value)
        return value
