"""A server for all tests of a file that leave nothing behind that another one could stumble over."""

from collections.abc import Iterator

import httpx
import pytest

from support.fakes import BrightnessPredictor
from support.threaded import ThreadedServer


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadedServer]:
    """One server with a fake model and a fixed token for the whole file."""
    server = ThreadedServer(tmp_path_factory.mktemp("shared"), BrightnessPredictor())
    yield server
    server.stop()


@pytest.fixture
def client(shared: ThreadedServer) -> Iterator[httpx.Client]:
    """A client with the token of `shared`."""
    with shared.client() as client:
        yield client
