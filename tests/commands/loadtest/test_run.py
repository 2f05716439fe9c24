"""The exit code and the words at the end of a load test, by its report; the load itself is a formula."""

from typing import Any

import pytest

from cvserve.commands.loadtest.options import OPTIONS, parse_options
from cvserve.commands.loadtest.run import conclude
from cvserve.errors import CannotStart
from cvserve.loadtest.plan import Plan
from cvserve.loadtest.report.document import Report
from cvserve.loadtest.session import Ended
from support.simulated_load import SimulatedLoad, simulate

ONE = Plan(find_capacity=False, rate=60.0)


def options(**texts: str) -> dict[str, Any]:
    """The values of options, none but these given."""
    return parse_options(dict.fromkeys(OPTIONS) | texts)


@pytest.fixture(scope="module")
def good() -> Report:
    return simulate(SimulatedLoad(picture_ms=5), ONE)


@pytest.fixture(scope="module")
def bad() -> Report:
    """A sixth of the requests fails."""
    return simulate(SimulatedLoad(picture_ms=20, refused="503 overloaded"), ONE)


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        ({}, 1),
        ({"exit_code_on_error": "0"}, 0),
        ({"exit_code_on_error": "7"}, 7),
        ({"max_failures": "50%"}, 0),
        ({"max_failures": "1%"}, 1),
        ({"max_failures": "1%", "exit_code_on_error": "0"}, 1),
    ],
)
def test_failures_give_the_exit_code_that_was_asked_for(bad: Report, texts: dict[str, str], code: int) -> None:
    assert conclude(Ended(bad), options(**texts), None) == code


@pytest.mark.parametrize(
    ("texts", "code", "words"),
    [
        ({}, 0, ""),
        ({"max_p95": "1s", "min_rps": "50", "max_failures": "0%"}, 0, ""),
        ({"max_p95": "2ms"}, 1, "--max-p95 allows 2.00 ms"),
        ({"min_rps": "100"}, 1, "--min-rps asks for 100"),
    ],
)
def test_a_limit_that_is_broken_ends_with_1(
    good: Report, texts: dict[str, str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conclude(Ended(good), options(**texts), None) == code
    assert words in capsys.readouterr().err


def test_worse_than_before_ends_with_1(good: Report, capsys: pytest.CaptureFixture[str]) -> None:
    slower = simulate(SimulatedLoad(picture_ms=10), ONE)
    assert conclude(Ended(slower), options(), good) == 1
    assert "Worse than before: p95 in ms: 5.00 before, 10.0 now (+100.0%" in capsys.readouterr().err
    assert conclude(Ended(good), options(), slower) == 0
    assert conclude(Ended(good), options(), good) == 0


def test_a_part_of_a_test_ends_with_130_or_with_its_error(good: Report) -> None:
    assert conclude(Ended(good, is_stopped=True), options(min_rps="1000"), None) == 130
    with pytest.raises(CannotStart, match="gone"):
        conclude(Ended(good, CannotStart("The server is gone.")), options(), None)
