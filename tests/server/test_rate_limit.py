"""`rate_limit`: what a token sends beyond it is 429, with a Retry-After that is true; others notice nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvserve.errors import RateLimited
from cvserve.server.rate_limit import RateLimiter
from cvserve.values import Rate
from support.answers import assert_problem
from support.pictures import grey
from support.raw import RawConnection
from support.threaded import ThreadedServer
from support.tokens import make_token

Start = Callable[..., ThreadedServer]
# One request at once, then one an hour: no test is slow enough to see a second one let in.
SELDOM = Rate(1, "h")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def is_let_in(limiter: RateLimiter, owner: int = 1) -> bool:
    try:
        limiter.take(owner)
    except RateLimited:
        return False
    return True


def test_token_that_sends_too_much_hears_429_before_its_body_is_read(threaded_server: Start, home: Path) -> None:
    other = make_token(home, "other", "predict")
    server = threaded_server(rate_limit=SELDOM)
    with server.client() as client, server.client(other) as second:
        assert client.post("/predict", content=grey(0)).status_code == 200
        body = assert_problem(refused := client.post("/predict", content=grey(0)), "rate_limited")
        assert int(refused.headers["retry-after"]) in range(3_500, 3_601)
        assert f"1 request an hour; send the request again in {refused.headers['retry-after']} s" in body["detail"]
        assert_problem(client.get("/predict"), "rate_limited")
        assert_problem(client.get("/nowhere"), "rate_limited")
        for path in ("/livez", "/readyz", "/metrics"):
            assert client.get(path).status_code == 200
        assert second.post("/predict", content=grey(0)).status_code == 200
        assert 'cvserve_rejected_total{reason="rate_limit"} 3' in client.get("/metrics").text
    with RawConnection(server.url) as raw:
        raw.request("POST", "/predict", "Content-Length: 1000", token=server.token)
        assert raw.answer().status == 429
    assert [line.split(" | ")[4] for line in server.log_lines()].count("429") == 4
    assert sum(" | env | " in line and " | 429 | " in line for line in server.log_lines()) == 4


def test_nobody_without_a_token_empties_the_bucket_of_one_who_has_it(threaded_server: Start) -> None:
    server = threaded_server(rate_limit=SELDOM)
    with server.client("wrong") as stranger, server.client() as client:
        for _ in range(3):
            assert_problem(stranger.post("/predict", content=grey(0)), "unauthenticated")
        assert client.post("/predict", content=grey(0)).status_code == 200


def test_pictures_of_a_batch_count_each_and_are_paid_afterwards(threaded_server: Start) -> None:
    server = threaded_server(rate_limit=SELDOM)
    files = [("file", (f"{number}.png", grey(number))) for number in range(3)]
    with server.client() as client:
        assert len(client.post("/predict/batch", files=files).json()) == 3
        refused = client.post("/predict", content=grey(0))
    assert_problem(refused, "rate_limited")
    assert int(refused.headers["retry-after"]) > 2.9 * 3_600


def test_bucket_holds_what_the_rate_names_and_is_filled_steadily() -> None:
    limiter = RateLimiter(Rate(5), clock := Clock())
    assert [is_let_in(limiter) for _ in range(7)] == [*[True] * 5, False, False]
    clock.now += 0.4
    assert [is_let_in(limiter) for _ in range(3)] == [True, True, False]
    clock.now += 3_600
    assert [is_let_in(limiter) for _ in range(7)] == [*[True] * 5, False, False]


@pytest.mark.parametrize("rate", [Rate(100, "m"), Rate(250, "h"), Rate(1, "s"), Rate(7), Rate(1, "h")])
def test_as_many_as_the_rate_names_may_come_at_once(rate: Rate) -> None:
    limiter = RateLimiter(rate, clock := Clock())
    assert sum(is_let_in(limiter) for _ in range(300)) == rate.count
    clock.now += rate.seconds / rate.count
    assert [is_let_in(limiter) for _ in range(2)] == [True, False]


def test_a_hundred_a_minute_are_answered_at_once(threaded_server: Start) -> None:
    server = threaded_server(rate_limit=Rate(100, "m"))
    with server.client() as client:
        assert {client.get("/predict?limit=1").status_code for _ in range(100)} == {200}


@given(
    st.builds(Rate, st.integers(1, 200), st.sampled_from("smh")),
    st.lists(st.tuples(st.floats(0, 5), st.integers(0, 64)), max_size=60),
)
def test_who_waits_as_long_as_it_is_told_is_let_in_and_nobody_gets_more_than_the_rate(
    rate: Rate, steps: list[tuple[float, int]]
) -> None:
    limiter = RateLimiter(rate, clock := Clock())
    begin, debt = clock.now, 0
    for taken, (pause_s, pictures) in enumerate(steps, 1):
        clock.now += pause_s
        try:
            limiter.take(1)
        except RateLimited as error:
            clock.now += error.retry_after_s
            limiter.take(1)
        limiter.charge(1, pictures)
        allowed = (clock.now - begin) * rate.count / rate.seconds + rate.count
        assert taken + debt <= allowed + 1e-6
        debt += pictures
