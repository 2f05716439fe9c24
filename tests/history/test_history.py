"""`History`: one file for notebook, command line and server."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database

from cvserve import History, Predictor
from cvserve.errors import InvalidParameter, NotFound
from support.command import cvserve
from support.drawings import drawn_four
from support.predictions import prediction
from support.process import ServerProcess


def test_the_notebook_way(home: Path) -> None:
    h = History.open()
    row = h.add(prediction("3"), source="notebook")
    assert (row.id, row.label, row.source) == (1, "3", "notebook")
    assert h[1] == row
    assert h.rows(label="3", limit=10) == [row]
    assert h.rows(label="4") == []
    assert len(h) == 1
    assert list(h) == [row]
    assert isinstance(h.db, Database)
    assert h.db["predictions"].count == 1
    assert "1 predictions" in repr(h)
    h.close()


def test_predict_itself_never_writes(home: Path) -> None:
    Predictor.load().predict(drawn_four())
    assert list(home.iterdir()) == []


def test_server_command_line_and_notebook_share_one_file(
    home: Path, server_process: Callable[..., ServerProcess]
) -> None:
    (home / "four.jpg").write_bytes(drawn_four())
    server = server_process()
    with server.client() as client:
        posted = client.post("/predict", files={"file": ("four.jpg", drawn_four())}).json()
    (typed,) = json.loads(cvserve("predict", "four.jpg", "--json").out)
    predictor = Predictor.load()
    with History.open() as history:
        written = history.add(predictor.predict("four.jpg"))
        rows = history.rows()
    assert [row.source for row in rows] == ["http", "cli", "notebook"]
    assert [row.id for row in rows] == [posted["id"], typed["id"], written.id] == [1, 2, 3]
    with server.client() as client:
        assert [row["id"] for row in client.get("/predict").json()] == [1, 2, 3]
    # Key by key: the same but for what only a server has.
    offline = predictor.predict("four.jpg").to_dict()
    assert list(posted) == ["id", *[key for key in posted if key != "id"]]
    assert set(posted) - set(offline) == {"id", "created_at"}
    assert set(offline) - set(posted) == set()
    for key in set(offline) - {"timing_ms"}:
        assert offline[key] == posted[key] == typed[key], key
    assert set(posted["timing_ms"]) - set(offline["timing_ms"]) == {"queue", "store"}
    assert [key for key in posted if key in offline] == list(offline)


def test_an_id_that_is_not_there_is_named(home: Path) -> None:
    with History.open() as history:
        for number in (0, -1, 1):
            with pytest.raises(NotFound, match=str(number)):
                history[number]


@pytest.mark.parametrize(
    ("since", "found"), [("7d", 1), (timedelta(days=-1), 1), (timedelta(days=1), 0), ("2999-01-01", 0)]
)
def test_times_are_texts_or_datetimes(home: Path, since: str | timedelta, found: int) -> None:
    with History.open() as history:
        history.add(prediction())
        moment = datetime.now(UTC) + since if isinstance(since, timedelta) else since
        assert len(history.rows(since=moment)) == found
        assert len(history.rows(until=moment)) == 1 - found


def test_bad_arguments_are_named(home: Path) -> None:
    with History.open() as history:
        with pytest.raises(InvalidParameter, match="mail"):
            history.add(prediction(), source="mail")
        with pytest.raises(InvalidParameter, match="limit is -1"):
            history.rows(limit=-1)
        with pytest.raises(InvalidParameter, match="since is 'soon'"):
            history.rows(since="soon")
        assert history.rows(limit=0) == []
        assert history.add_many([], source="cli", file_names=[]) == []


def test_open_takes_a_file_a_folder_or_what_the_settings_say(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (home / "a" / "cvserve.db", home / "a"):
        with History.open(place) as history:
            assert history.path == home / "a" / "cvserve.db"
    monkeypatch.setenv("CVSERVE_HOME", str(home / "b"))
    with History.open() as history:
        assert history.path == home / "b" / "cvserve.db"


def test_rows_of_the_same_model_name_it_once(home: Path) -> None:
    with History.open() as history:
        history.add(prediction())
        history.add(prediction())
        history.add(prediction(model="other"))
        history.add(prediction(model="digits", warning="no digit"))
        assert history.db["models"].count == 2
        assert history[4].warning == "no digit"
