"""Fixtures named as nouns; every test runs in an empty folder with a clean environment."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from cvserve.predictor.predictor import Predictor
from support.command import MEASURED_BY
from support.fakes import BrightnessPredictor
from support.pictures import digit_photo
from support.process import ServerProcess
from support.threaded import ThreadedServer


@pytest.fixture(scope="session")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one test has compiled the next one finds: it is named after what is in it."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def clean_environment(
    request: pytest.FixtureRequest, tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The working folder: empty, and nothing of the developer's own settings or trust is seen."""
    for name in list(os.environ):
        if name.startswith("CVSERVE_") or name in ("MODEL_PATH", "PORT", "FORWARDED_ALLOW_IPS", "FORCE_COLOR"):
            monkeypatch.delenv(name)
    if "loadtest" in request.path.parts:  # what Locust sees is to be the server, not the tool that measures it
        for name in MEASURED_BY:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def home(clean_environment: Path) -> Path:
    """The folder of cvserve.db and output.log; also the working folder."""
    return clean_environment


@pytest.fixture
def photo() -> bytes:
    """A JPEG of a handwritten-looking 4 on paper."""
    return digit_photo("4")


@pytest.fixture
def server_process(home: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Starts real `cvserve serve` processes on free ports; all are stopped at the end."""
    running: list[ServerProcess] = []

    def start(*arguments: str, wrapper: Sequence[str] = (), **environment: str) -> ServerProcess:
        running.append(ServerProcess(home, *arguments, wrapper=wrapper, **environment))
        return running[-1]

    yield start
    for process in running:
        process.stop()


@pytest.fixture
def threaded_server(home: Path) -> Iterator[Callable[..., ThreadedServer]]:
    """Starts apps with fake models behind a real uvicorn and a real socket, in a thread of the test."""
    running: list[ThreadedServer] = []

    def start(predictor: Predictor | None = None, **settings: object) -> ThreadedServer:
        running.append(ThreadedServer(home, predictor or BrightnessPredictor(), **settings))
        return running[-1]

    yield start
    for server in running:
        server.stop()
