"""Servers whose capacity is known, and plans that are quick."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cvserve.loadtest.plan import Plan
from cvserve.loadtest.samples import compute_spread
from cvserve.loadtest.session import run_loadtest
from cvserve.loadtest.target import Target
from support.known_server import TOKEN, KnownServer

# Times and rates that a busy machine cannot keep; what they test is tested by a formula as well, in any case.
long_form = pytest.mark.skipif(
    not os.environ.get("CVSERVE_TEST_LONG"), reason="needs a calm machine: CVSERVE_TEST_LONG=1"
)
QUICK = {"settle_s": 0.3, "step_s": 1.0, "share_s": 0.6, "window_s": 0.4, "run_time_s": 1.6}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnownServer]:
    """20 ms a picture, whatever the batch, and one worker: 50 requests a second."""
    server = KnownServer(tmp_path_factory.mktemp("known"), picture_ms=20)
    yield server
    server.stop()


@pytest.fixture
def known_server(tmp_path: Path) -> Iterator[Callable[..., KnownServer]]:
    """Starts others; all are stopped at the end."""
    running: list[KnownServer] = []

    def start(**how: float) -> KnownServer:
        running.append(KnownServer(tmp_path / f"known-{len(running)}", **how))
        return running[-1]

    yield start
    for server in running:
        server.stop()


def undisturbed(where: Target, plan: Plan, tries: int = 3) -> dict[str, Any]:
    """The report of a run that was not disturbed, as its own windows tell: something else may run on this machine."""
    for _ in range(tries):
        report = run_loadtest(where, plan).report
        windows = (report["measured"] or {}).get("windows", [])
        low, middle, high = compute_spread([window["rps"] for window in windows] or [0.0])
        if high - low <= middle / 4:
            break
    return report


def target(server: KnownServer, token: str | None = TOKEN) -> Target:
    """The server as a load test knows it."""
    return Target(server.url, token)


def quick(**changes: object) -> Plan:
    """A plan with short steps."""
    return Plan(**{**QUICK, **changes})  # type: ignore[arg-type]
