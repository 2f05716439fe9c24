"""/livez and /readyz: what they look at, what they say in public, and what they say when it fails."""

from collections.abc import Callable

import pytest

from cvserve.store.sqlite import sqlite3
from support.answers import assert_problem
from support.fakes import BrightnessPredictor
from support.pictures import grey
from support.raw import RawConnection
from support.threaded import ThreadedServer
from support.waiting import wait_until

Start = Callable[..., ThreadedServer]
CHECKS = {"model", "workers", "history", "accepting"}


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_asks_for_a_token(shared: ThreadedServer, path: str) -> None:
    with shared.client() as client:
        assert client.get(path).status_code == 200
        del client.headers["Authorization"]
        assert_problem(client.get(path), "unauthenticated")


def test_ready_lists_what_was_looked_at(shared: ThreadedServer) -> None:
    with shared.client() as client:
        assert client.get("/livez").json() == {"status": "live"}
        assert client.get("/readyz").json() == {"status": "ready", "checks": dict.fromkeys(CHECKS, "ok")}


def test_public_health_says_the_status_and_nothing_else(threaded_server: Start) -> None:
    server = threaded_server(public_health=True)
    with server.client() as client:
        del client.headers["Authorization"]
        assert client.get("/livez").json() == {"status": "live"}
        assert client.get("/readyz").json() == {"status": "ready"}
        for path in ("/livez/", "/readyz/x", "//livez", "/predict", "/LIVEZ", "/livez%20", "/livez;x", "/x/../livez"):
            with RawConnection(server.url) as raw:
                assert_problem(raw.request("GET", path).answer(), "unauthenticated")
        server.resources.lifecycle.is_draining = True
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"status": "not_ready"})


def test_draining_server_is_alive_but_not_ready(threaded_server: Start) -> None:
    server = threaded_server()
    with server.client() as client:
        server.resources.lifecycle.is_draining = True
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert answer.json()["checks"] == {**dict.fromkeys(CHECKS, "ok"), "accepting": "failing"}
        assert client.get("/livez").status_code == 200


def test_history_that_cannot_be_written_is_not_ready_until_it_can(threaded_server: Start) -> None:
    server = threaded_server()
    database = sqlite3.connect(server.settings.database_path)
    with server.client() as client:
        client.post("/predict", content=grey(0)).raise_for_status()
        database.execute("ALTER TABLE predictions RENAME TO away")
        database.commit()
        assert_problem(client.post("/predict", content=grey(0)), "history_unavailable")
        database.execute("ALTER TABLE token_usage RENAME TO away_too")
        database.commit()
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["checks"]["history"] == "failing"
        assert client.get("/livez").status_code == 200
        database.execute("ALTER TABLE away RENAME TO predictions")
        database.execute("ALTER TABLE away_too RENAME TO token_usage")
        database.commit()
        database.close()
        assert client.get("/readyz").status_code == 200
        assert client.post("/predict", content=grey(0)).json()["id"] == 2


def test_history_that_somebody_else_has_locked_is_not_ready_although_nobody_predicts(threaded_server: Start) -> None:
    server = threaded_server()
    database = sqlite3.connect(server.settings.database_path, isolation_level=None)
    with server.client() as client:
        database.execute("BEGIN IMMEDIATE")
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["checks"]["history"]) == (503, "failing")
        assert client.get("/livez").status_code == 200
        database.execute("ROLLBACK")
        database.close()
        wait_until(lambda: client.get("/readyz").status_code == 200)


class ExitingPredictor(BrightnessPredictor):
    """Ends its thread, as a model that calls `sys.exit` would like to."""

    def infer(self, batch: object) -> object:  # type: ignore[override]
        raise SystemExit(1)

    def warm_up(self) -> "ExitingPredictor":
        return self


def test_model_that_calls_exit_costs_no_worker(threaded_server: Start) -> None:
    server = threaded_server(ExitingPredictor())
    with server.client() as client:
        for _ in range(8):
            assert_problem(client.post("/predict", content=grey(0)), "model_error")
        assert client.get("/readyz").status_code == 200
