"""What was measured: latencies as a histogram, ticks of the generators, and windows made of them."""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


class Latencies:
    """A histogram of the latencies of good answers.

    Attributes:
        counts: how often each latency came, by microseconds rounded to three significant digits.
    """

    def __init__(self, counts: Iterable[tuple[int, int]] = ()) -> None:
        self.counts = Counter(dict(counts))

    def add(self, other: "Latencies") -> None:
        """Add the answers of another histogram to this one."""
        self.counts.update(other.counts)

    def __len__(self) -> int:
        return self.counts.total()

    def percentile_ms(self, percent: float) -> float | None:
        """The latency below which so many percent of the answers are, in milliseconds; None without answers."""
        return next(iter(self.percentiles_ms([percent]).values()))

    def percentiles_ms(self, percents: Sequence[float]) -> dict[float, float | None]:
        """Several percentiles in one pass; `percents` must ascend."""
        found: dict[float, float | None] = dict.fromkeys(percents)
        wanted = iter(percents)
        percent = next(wanted, None)
        total, seen = len(self), 0
        for microseconds in sorted(self.counts):
            seen += self.counts[microseconds]
            while percent is not None and seen >= total * percent / 100:
                found[percent] = microseconds / 1000
                percent = next(wanted, None)
        return found

    def mean_ms(self) -> float | None:
        """The mean in milliseconds; None without answers."""
        total = sum(microseconds * count for microseconds, count in self.counts.items())
        return total / len(self) / 1000 if self.counts else None


@dataclass(frozen=True, slots=True)
class Tick:
    """What one generator measured in a fifth of a second; times are those of `time.monotonic`, in seconds.

    Attributes:
        index: of the generator.
        begin, end: by `time.monotonic`, in seconds.
        users: that run.
        latencies: of the good answers.
        failures: reasons, and how often each came.
        cpu: its CPU time over time passed; 1 is a whole core.
        busy: share of the time in which its event loop did not wait.
        waiting, in_flight: of open load: requests that are due and not sent, sent and not answered.
        last_at: when the last good answer came; None: there was none.
    """

    index: int
    begin: float
    end: float
    users: int
    latencies: Latencies
    failures: dict[str, int]
    cpu: float
    busy: float
    waiting: int
    in_flight: int
    last_at: float | None

    @classmethod
    def from_message(cls, index: int, message: dict[str, Any]) -> "Tick":
        """Make a tick of the message that a generator sent, see `generator_main`."""
        latencies = Latencies((microseconds, count) for microseconds, count in message["latencies"])
        return cls(index=index, **{**message, "latencies": latencies})


@dataclass(slots=True)
class Window:
    """What all generators together measured over some time.

    Attributes:
        begin, end: by `time.monotonic`, in seconds.
        rps: good answers a second.
        good, failed: answers.
        busy: of the busiest generator, its CPU or its event loop; 1 is all of it.
    """

    begin: float
    end: float
    users: int = 0
    rps: float = 0.0
    good: int = 0
    failed: int = 0
    busy: float = 0.0
    waiting: int = 0
    in_flight: int = 0
    latencies: Latencies = field(default_factory=Latencies)
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def failure_share(self) -> float:
        """Failures among all answers, 0 to 1."""
        return self.failed / (self.good + self.failed) if self.good + self.failed else 0.0


def merge_ticks(ticks: Sequence[Tick]) -> Window:
    """Merge ticks of one or several generators into one window.

    Rates are added up generator by generator, each by its own clock; users, waiting and in flight are those of each
    generator's last tick.

    Args:
        ticks: at least one; those of each generator in order.
    """
    window = Window(min(tick.begin for tick in ticks), max(tick.end for tick in ticks))
    for index in sorted({tick.index for tick in ticks}):
        own = [tick for tick in ticks if tick.index == index]
        elapsed_s = sum(tick.end - tick.begin for tick in own)
        good = sum(len(tick.latencies) for tick in own)
        window.good += good
        window.rps += _rate(own)
        busy = sum(max(tick.cpu, tick.busy) * (tick.end - tick.begin) for tick in own) / elapsed_s
        window.busy = max(window.busy, busy)
        window.users += own[-1].users
        window.waiting += own[-1].waiting
        window.in_flight += own[-1].in_flight
        for tick in own:
            window.latencies.add(tick.latencies)
            window.failures.update(tick.failures)
    window.failed = window.failures.total()
    return window


def _rate(ticks: Sequence[Tick]) -> float:
    """Good answers a second of one generator.

    A server that works in batches answers in bursts, and a window may hold one more or less of them: so it is counted
    from the end of the first burst to the end of the last one, unless the silence behind that is the longest of all.
    """
    elapsed_s = ticks[-1].end - ticks[0].begin
    seen = [(tick.last_at, len(tick.latencies)) for tick in ticks if tick.last_at is not None]
    good = sum(count for _, count in seen)
    times = [at for at, _ in seen]
    longest_gap_s = max((after - before for before, after in itertools.pairwise(times)), default=0.0)
    if not times or ticks[-1].end - times[-1] > longest_gap_s or times[0] - ticks[0].begin > longest_gap_s:
        return good / elapsed_s
    return (good - seen[0][1]) / (times[-1] - times[0])


def cut_windows(ticks: Sequence[Tick], length_s: float) -> list[Window]:
    """Cut ticks into windows of `length_s` seconds, one after the other; a rest under half of one is left out."""
    if not ticks:
        return []
    begin = min(tick.begin for tick in ticks)
    groups: dict[int, list[Tick]] = {}
    for tick in ticks:
        groups.setdefault(int((tick.begin - begin + 0.05) / length_s), []).append(tick)
    windows = [merge_ticks(group) for _, group in sorted(groups.items())]
    return [window for window in windows if window.end - window.begin >= length_s / 2] or windows


def compute_spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Low, median and high of a figure over several windows; the outermost tenth on each side does not count."""
    ordered = sorted(values)
    cut = len(ordered) // 10
    kept = ordered[cut : len(ordered) - cut]
    return kept[0], median(ordered), kept[-1]
