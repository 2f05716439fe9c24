"""A model on a device, served from start to end: a class says which one it is, so that no GPU is needed to see it."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cvserve import History
from support.command import cvserve
from support.pictures import grey
from support.process import ServerProcess, children, command_of, fork_servers_of, proc

MODEL = """
import numpy as np
from cvserve import Predictor

class Placed(Predictor):
    labels = ("dark", "light")
    scores = "probabilities"
    def setup(self):
        self.device = "npu:0"
        if self.half:
            self.name = "halved"
    def preprocess(self, image):
        return np.asarray(image.convert("L").resize((1, 1)), dtype=np.float32)
    def infer(self, batch):
        light = batch.reshape(-1, 1) / 255
        return np.concatenate([1 - light, light], axis=1)
"""


@pytest.fixture
def model(home: Path) -> str:
    (home / "placed.py").write_text(MODEL, encoding="utf-8")
    return "placed.py:Placed"


def test_one_worker_that_is_no_fork_and_its_device_in_all_places(
    home: Path, model: str, server_process: Callable[..., ServerProcess]
) -> None:
    server = server_process("--model", model, "--no-auth")
    assert "(on npu:0) on http" in server.stderr
    if sys.platform == "linux":
        (fork_server,) = fork_servers_of(server.process.pid)
        (worker,) = children(fork_server)  # on the CPU it is one a core
        assert " worker " in command_of(worker)
        assert "numpy" not in proc(fork_server, "maps")
    with server.client() as client:
        answer = client.post("/predict", content=grey(200)).json()
        assert (answer["label"], set(answer["model"])) == ("light", {"name", "version"})
        assert 'device="npu:0"' in client.get("/metrics").text
        batch = client.post("/predict/batch", files=[("file", grey(level)) for level in (0, 250, 10)]).json()
    server.stop()
    assert [entry["label"] for entry in batch] == ["dark", "light", "dark"]
    with History.open(home) as history:
        assert history[answer["id"]].device == "npu:0"
    assert ",device\n" in cvserve("history", "--csv").out.replace("\r", "")


def test_workers_are_as_many_as_somebody_says(model: str, server_process: Callable[..., ServerProcess]) -> None:
    server = server_process("--model", model, "--no-auth", "--workers", "2")
    with server.client() as client:
        assert 'cvserve_workers{state="live"} 2.0' in client.get("/metrics").text
    server.stop()


def test_threads_of_the_server_are_one_for_a_device(model: str, server_process: Callable[..., ServerProcess]) -> None:
    server = server_process("--model", model, "--no-auth", "--workers", "0")
    with server.client() as client:
        assert 'cvserve_workers{state="wanted"} 1.0' in client.get("/metrics").text
        assert client.post("/predict", content=grey(0)).json()["label"] == "dark"
    server.stop()


def test_a_device_that_the_model_does_not_use_ends_the_start(home: Path) -> None:
    said = cvserve("serve", "--no-auth", "--port", "0", "--device", "cuda")
    assert said.code == 5
    assert "The built-in model computes on cpu and not on cuda: " in said.err
    assert "take --device cpu, or leave it out." in said.err


def test_a_device_that_there_is_not_is_a_bad_setting(home: Path) -> None:
    said = cvserve("serve", "--no-auth", "--device", "gpu")
    assert said.code == 2
    assert "device is 'gpu' (--device): give auto, cpu, cuda, mps, openvino or tensorrt" in said.err


def test_the_device_is_shown_before_it_is_served(model: str) -> None:
    said = cvserve("model", "inspect", model, "--half")
    assert said.code == 0, said.err
    (line,) = (line for line in said.out.splitlines() if line.startswith("device "))
    assert line.split() == ["device", "npu:0", "default"]
    assert "half" in said.out
