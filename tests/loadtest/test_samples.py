"""Percentiles, windows and rates from ticks that are known."""

import pytest

from cvserve.loadtest.samples import Latencies, Tick, compute_spread, cut_windows, merge_ticks


def tick(number: int, good: int, index: int = 0, last_at: float | None = None, **changes: object) -> Tick:
    """The fifth of a second of that number, in which so many answers came, each after 10 ms."""
    begin = 100 + number / 5
    values = {
        "index": index,
        "begin": begin,
        "end": begin + 0.2,
        "users": 3,
        "latencies": Latencies([(10_000, good)] if good else []),
        "failures": {},
        "cpu": 0.1,
        "busy": 0.2,
        "waiting": 0,
        "in_flight": 0,
        "last_at": (begin + 0.19 if good else None) if last_at is None else last_at,
    }
    return Tick(**{**values, **changes})  # type: ignore[arg-type]


def test_percentiles_are_those_of_the_sorted_answers() -> None:
    latencies = Latencies((millisecond * 1000, 1) for millisecond in range(1, 101))
    assert latencies.percentiles_ms([50, 95, 99, 100]) == {50: 50, 95: 95, 99: 99, 100: 100}
    assert latencies.percentile_ms(99.9) == 100
    assert latencies.mean_ms() == 50.5


def test_without_answers_there_is_no_percentile_and_no_mean() -> None:
    assert (Latencies().percentile_ms(99), Latencies().mean_ms()) == (None, None)
    assert merge_ticks([tick(0, 0)]).latencies.percentile_ms(95) is None


def test_a_window_adds_up_the_generators() -> None:
    ticks = [tick(number, 4, index, failures={"POST /predict: 503": 1}) for number in range(5) for index in (0, 1)]
    window = merge_ticks(ticks)
    assert (window.good, window.failed, window.users) == (40, 10, 6)
    assert window.rps == pytest.approx(40)
    assert window.failure_share == 0.2


def test_the_busiest_generator_counts_by_cpu_or_loop() -> None:
    assert merge_ticks([tick(0, 1, 0, cpu=0.3, busy=0.95), tick(0, 1, 1)]).busy == pytest.approx(0.95)
    assert merge_ticks([tick(0, 1, 0, cpu=0.97, busy=0.5)]).busy == pytest.approx(0.97)


def test_a_server_that_answers_in_bursts_is_counted_from_burst_to_burst() -> None:
    # 20 answers every 0.4 s are 50 a second; ticks alone would say 60 / 1.0 s or 40 / 1.0 s.
    bursts = [tick(number, 20 if number % 2 == 0 else 0) for number in range(5)]
    assert merge_ticks(bursts).rps == pytest.approx(50)
    bursts = [tick(number, 20 if number % 2 else 0) for number in range(5)]
    assert merge_ticks(bursts).rps == pytest.approx(50)


def test_a_server_that_stops_answering_is_not_flattered() -> None:
    stalled = [tick(number, 20 if number < 2 else 0) for number in range(10)]
    assert merge_ticks(stalled).rps == pytest.approx(20)


def test_windows_have_their_length_and_a_short_rest_is_left_out() -> None:
    windows = cut_windows([tick(number, 2) for number in range(12)], 1.0)
    assert [window.good for window in windows] == [10, 10]
    assert [round(window.end - window.begin, 3) for window in windows] == [1.0, 1.0]
    assert cut_windows([], 1.0) == []


def test_spread_leaves_out_the_outermost_tenths() -> None:
    assert compute_spread([5.0]) == (5, 5, 5)
    assert compute_spread([1, 10, 11, 12, 13, 14, 15, 16, 17, 99]) == (10, 13.5, 17)
