"""One load, and what ends it: its time, a server that goes, a token that is refused."""

import csv
import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from cvserve.errors import CannotStart, CvserveError, ImageError, InvalidSetting, Unauthenticated
from cvserve.history.history import History
from cvserve.loadtest.session import run_loadtest
from cvserve.loadtest.target import Target
from loadtest.conftest import long_form, quick, target, undisturbed
from support.known_server import TOKEN, KnownServer
from support.tokens import make_token, revoke_token

GREETINGS = 8  # the pictures that come with cvserve, sent before the load
pytestmark = pytest.mark.slow
ONE = {"find_capacity": False, "run_time_s": 1.2}


def test_a_request_that_waits_to_be_sent_is_late_all_the_same(known: KnownServer) -> None:
    # 100 a second are due and 50 at most are answered, over four connections: in the end they are sent half a second
    # late and more, while an answer takes 80 ms. A busy machine makes them later still.
    report = run_loadtest(target(known), quick(**ONE, users=4, rate=100.0)).report
    assert report["p95_ms"] > 300
    assert report["measured"]["backlog"] > 20


@long_form
def test_latency_of_open_load_counts_from_the_moment_a_request_was_due(known: KnownServer) -> None:
    closed = undisturbed(target(known), quick(**ONE, users=4))
    behind = undisturbed(target(known), quick(**ONE, users=4, rate=100.0))
    # The server answers each of four connections in 80 ms in both; in open load half of what is due waits for them.
    assert closed["p95_ms"] < 150
    assert behind["p95_ms"] > 3 * closed["p95_ms"]
    assert behind["measured"]["backlog"] > 20
    assert behind["limited_by"] == "server"
    assert behind["rps"] == pytest.approx(50, rel=0.15)


@long_form
def test_open_load_that_is_held_keeps_its_rate_and_its_latency(known: KnownServer) -> None:
    report = undisturbed(target(known), quick(**ONE, rate=25.0))
    assert report["rps"] == pytest.approx(25, rel=0.1)
    assert report["p95_ms"] < 100
    assert (report["limited_by"], report["capacity_rps"]) == (None, None)


def test_a_search_climbs_closes_in_holds_and_opens_half_and_most_of_it(known: KnownServer) -> None:
    seen: list[str] = []
    plan = quick(users=8, step_s=0.6, share_s=0.5, run_time_s=0.8, window_s=0.2)
    ended = run_loadtest(target(known), plan, on_window=lambda phase, _window: seen.append(phase))
    report = ended.report
    assert (ended.error, report["is_partial"]) == (None, False)
    phases = [step["phase"] for step in report["steps"]]
    assert phases == sorted(phases, key=["step", "hold", "half", "most"].index)
    assert list(dict.fromkeys(phases)) == ["step", "hold", "half", "most"]
    assert set(report["shares"]) == {"50%", "80%", "100%"}
    # What was held is what the two open loads are shares of; how much that is depends on the machine.
    held = report["shares"]["100%"]["rps"]
    assert [report["shares"][share]["rate"] for share in ("50%", "80%")] == pytest.approx(
        [0.5 * held, 0.8 * held], abs=0.01
    )
    users = [step["users"] for step in report["steps"] if step["phase"] == "step"]
    assert users[:3] == [1, 2, 4]
    assert report["failures"] == 0
    assert report["capacity_rps"] > 0
    assert report["requests"] > 0
    assert {"step", "hold"} <= set(seen)


def test_rows_are_marked_and_hidden_and_csvs_are_locusts(known: KnownServer, home: Path) -> None:
    with History.open(known.home) as history:
        before = len(history.rows(source="loadtest"))
        report = run_loadtest(target(known), quick(**ONE, users=3, reads=0.5, body="raw"), csv=home / "locust").report
        assert history.rows() == []
        added = len(history.rows(source="loadtest")) - before
    with (home / "locust_stats.csv").open(newline="") as file:
        counts = {(row["Type"], row["Name"]): int(row["Request Count"]) for row in csv.DictReader(file)}
    assert set(counts) == {("POST", "/predict"), ("GET", "/predict"), ("GET", "/predict/{id}"), ("", "Aggregated")}
    assert counts["", "Aggregated"] == report["requests"], "Locust and our windows count the same"
    assert added == counts["POST", "/predict"] + GREETINGS
    assert {path.name for path in home.iterdir()} >= {
        f"locust_{name}.csv" for name in ("stats", "stats_history", "failures", "exceptions")
    }


def test_several_processes_are_one_load(known: KnownServer, home: Path) -> None:
    report = run_loadtest(target(known), quick(**ONE, users=5, processes=2), csv=home / "locust").report
    assert report["measured"]["users"] == 5
    total = (home / "locust_stats.csv").read_text().splitlines()[-1].split(",")
    assert int(total[2]) == report["requests"]


@long_form
def test_several_processes_are_as_quick_as_one(known: KnownServer) -> None:
    report = undisturbed(target(known), quick(**ONE, users=5, processes=2))
    assert report["rps"] == pytest.approx(50, rel=0.15)


def test_server_that_goes_ends_the_test_with_a_part_of_a_report(
    known_server: Callable[..., KnownServer],
) -> None:
    server = known_server(picture_ms=20)
    killed: list[int] = []

    def kill_once(_phase: str, _window: object) -> None:
        if not killed:
            killed.append(server.process.pid)
            server.stop(signal.SIGKILL)

    ended = run_loadtest(target(server), quick(**{**ONE, "run_time_s": 30.0}, users=2), on_window=kill_once)
    assert isinstance(ended.error, CannotStart)
    assert "The server is gone" in str(ended.error)
    assert ended.report["is_partial"]
    assert ended.report["failures"] > 0
    assert ended.report["capacity_rps"] is None


def test_token_that_is_revoked_meanwhile_ends_the_test(known: KnownServer) -> None:
    secret = make_token(known.home, "short-lived")

    def revoke(_phase: str, _window: object) -> None:
        if not revoked:
            revoked.append("short-lived")
            revoke_token(known.home, "short-lived")

    revoked: list[str] = []
    plan = quick(**{**ONE, "run_time_s": 30.0}, users=2)
    ended = run_loadtest(target(known, secret), plan, on_window=revoke)
    assert isinstance(ended.error, Unauthenticated)
    assert [entry["reason"] for entry in ended.report["reasons"]] == ["401 unauthenticated"]


def test_ctrl_c_gives_a_part_of_a_report(known: KnownServer) -> None:
    def stop(_phase: str, _window: object) -> None:
        signal.raise_signal(signal.SIGINT)

    ended = run_loadtest(target(known), quick(**{**ONE, "run_time_s": 30.0}, users=2), on_window=stop)
    assert ended.is_stopped
    assert ended.report["is_partial"]
    assert ended.report["requests"] > 10
    json.dumps(ended.report)


@pytest.mark.parametrize(
    ("url", "token", "error"),
    [
        ("http://127.0.0.1:1", TOKEN, CannotStart),
        (None, "wrong-token-of-nobody", Unauthenticated),
        (None, None, Unauthenticated),
    ],
)
def test_what_cannot_begin_is_said_before_there_is_load(
    known: KnownServer, url: str | None, token: str | None, error: type[CvserveError]
) -> None:
    with pytest.raises(error):
        run_loadtest(Target(url or known.url, token), quick())


def test_pictures_that_are_none_are_said(known: KnownServer, home: Path) -> None:
    (home / "empty").mkdir()
    for folder in ("empty", "nowhere"):
        with pytest.raises(InvalidSetting, match=folder):
            run_loadtest(target(known), quick(images=folder))
    (home / "bad").mkdir()
    (home / "bad" / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    with pytest.raises(ImageError, match=r"broken\.jpg"):
        run_loadtest(target(known), quick(images="bad"))


@long_form
def test_a_server_that_refuses_is_at_its_limit(known: KnownServer) -> None:
    report = run_loadtest(target(known), quick(**ONE, users=100, rate=150.0)).report
    assert report["limited_by"] == "server"
    assert [entry["reason"] for entry in report["reasons"]] in ([], ["503 overloaded"])
    assert "more than it holds" in " ".join(report["verdict"])


def test_users_start_at_the_rate_that_was_asked_for(known: KnownServer) -> None:
    seen: list[int] = []
    plan = quick(**{**ONE, "run_time_s": 0.6}, users=6, spawn_rate=2.0)
    report = run_loadtest(target(known), plan, on_window=lambda _phase, window: seen.append(window.users)).report
    assert report["measured"]["users"] == 6
    assert seen[0] < 6
    assert seen == sorted(seen[:-1]) + seen[-1:]
