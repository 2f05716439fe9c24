"""A library that would fetch weights is told no, whatever it fetches them with."""

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from support.checkpoints import refusal
from support.torch_models import needs_torch

pytestmark = needs_torch

# A package as it is installed, whose models come from a web page
FETCHING = """import threading, urllib.request
import numpy as np
URL = {url!r}


class Net:
    def infer(self, batch):
        return np.full((len(batch), 2), 0.5)


def plain():
    urllib.request.urlopen(URL, timeout=5).read()
    return Net()


def by_thread():
    def fetch():
        try:
            plain()
        except OSError:
            pass

    thread = threading.Thread(target=fetch)
    thread.start()
    thread.join()
    raise RuntimeError("no weights")


def with_a_copy_here():
    try:
        plain()
    except OSError:
        return Net()
"""


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """The address of a server, and what it was asked for."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/weights", paths
        server.shutdown()
        thread.join()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: tuple[str, list[str]]) -> Iterator[str]:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "fetching_models.py").write_text(FETCHING.format(url=asked[0]))
    monkeypatch.syspath_prepend(folder)
    yield "fetching_models"
    sys.modules.pop("fetching_models", None)


@pytest.mark.parametrize("name", ["plain", "by_thread"])
def test_nothing_is_asked_for(installed: str, asked: tuple[str, list[str]], name: str) -> None:
    said = refusal(f"{installed}:{name}")
    assert f"{name} in {installed}.py would download from 127.0.0.1, and nothing is downloaded; leave out" in said
    assert asked[1] == []


@pytest.mark.filterwarnings("ignore")
def test_what_is_here_is_served(tmp_path: Path, installed: str, asked: tuple[str, list[str]]) -> None:
    (tmp_path / "size.toml").write_text('[input]\nsize = [8, 8]\nmode = "L"\n')
    from support.models import load_model

    assert load_model(f"{installed}:with_a_copy_here", config=tmp_path / "size.toml").info.format == "python"
    assert asked[1] == []


def test_pretrained_weights_of_torchvision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: tuple[str, list[str]]
) -> None:
    pytest.importorskip("torchvision")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "net.toml").write_text(
        '[model]\nargs = { weights = "DEFAULT" }\n[input]\nsize = [32, 32]\nmode = "RGB"\n'
    )
    said = refusal("torchvision.models:squeezenet1_1", config=tmp_path / "net.toml")
    assert (
        "squeezenet1_1 in torchvision.models would download from download.pytorch.org, and nothing is downloaded"
        in said
    )


def test_connections_are_free_again(installed: str, asked: tuple[str, list[str]]) -> None:
    refusal(f"{installed}:plain")
    import urllib.request

    with urllib.request.urlopen(asked[0], timeout=5) as answer:
        assert answer.status == 200
    assert asked[1] == ["/weights"]
