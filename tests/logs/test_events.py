"""Events on stderr: the same one is not said again and again."""

from collections.abc import Iterator

import pytest
from loguru import logger

from cvserve.logs.events import Seldom


@pytest.fixture
def said() -> Iterator[list[str]]:
    messages: list[str] = []
    handler = logger.add(lambda message: messages.append(message.record["message"]), format="{message}")
    yield messages
    logger.remove(handler)


def test_same_event_is_said_once_in_a_while(said: list[str]) -> None:
    seldom = Seldom(every_s=3600)
    for number in range(500):
        seldom.log("disk full", "WARNING", "request {}: no space", number)
        seldom.log("model failed", "ERROR", "it raised {}", "{}")
    assert said == ["request 0: no space", "it raised {}"]


def test_next_line_says_how_many_were_left_out(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((100.0, 101.0, 109.9, 112.0, 130.0))
    monkeypatch.setattr("cvserve.logs.events.time.monotonic", lambda: next(clock))
    seldom = Seldom(every_s=10)
    for _ in range(5):
        seldom.log("disk full", "WARNING", "no space")
    assert said == ["no space", "no space (and 2 more of this kind since 12 s ago)", "no space"]
