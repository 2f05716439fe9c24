"""An ONNX file and nothing else, put on the network."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from PIL import Image

from support.answers import assert_problem
from support.onnx_models import graph, linear, probabilities
from support.pictures import encoded, grey
from support.process import ServerProcess, fork_servers_of, proc, workers_of


@pytest.mark.parametrize(("workers", "threads"), [("1", "1"), ("0", "1"), ("2", "2")])
def test_a_server_answers_as_the_graph(
    server_process: Callable[..., ServerProcess], home: Path, workers: str, threads: str
) -> None:
    (home / "m.onnx").write_bytes(linear(("N", 3, 6, 4)).SerializeToString())
    server = server_process("--model", "m.onnx", "--workers", workers, OMP_NUM_THREADS=threads)
    assert "guessed: mode, resize, resample, scale, mean, std – check with: " in server.stderr
    pixels = np.random.default_rng(4).integers(0, 256, (6, 4, 3), dtype=np.uint8)
    expected = probabilities(pixels.transpose(2, 0, 1)[None] / 255)[0]
    with server.client() as client:
        one = client.post("/predict", content=encoded(Image.fromarray(pixels))).json()
        files = [("file", (f"{number}.png", encoded(Image.fromarray(pixels)))) for number in range(5)]
        many = client.post("/predict/batch", files=files).json()
    for answer in (one, *many):
        scores = {entry["index"]: entry["score"] for entry in answer["top"]}
        assert np.allclose([scores[index] for index in range(3)], expected, atol=1e-5)
        assert answer["top"] == one["top"]
    assert server.stderr.count("\n") == 4, "ONNX Runtime has said something"
    if workers == "1" and sys.platform == "linux":
        # Forked from the process that has loaded the model: so it had one thread, and its child runs the session.
        (fork_server,), (worker,) = fork_servers_of(server.process.pid), workers_of(server.process.pid)
        assert proc(worker, "cmdline") == proc(fork_server, "cmdline")
        assert len(list(Path(f"/proc/{worker}/task").iterdir())) == 1


@pytest.mark.parametrize("workers", ["1", "0"])
def test_a_score_that_is_no_number_is_never_stored_and_leaves_its_neighbours_alone(
    server_process: Callable[..., ServerProcess], home: Path, workers: str
) -> None:
    """A model that is fine while it loads: the root of (mean - 0.25) is no number for dark pictures only."""
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Sub", ["mean", "quarter"], ["above"]),
        helper.make_node("Sqrt", ["above"], ["root"]),
        helper.make_node("Concat", ["root", "mean"], ["scores"], axis=1),
    ]
    model = graph(nodes, ("N", 6, 4, 1), ("N", 2), quarter=np.array([[0.25]], np.float32))
    (home / "m.onnx").write_bytes(model.SerializeToString())
    server = server_process("--model", "m.onnx", "--workers", workers)
    with server.client() as client:
        assert_problem(client.post("/predict", content=grey(10)), "model_error")
        assert client.get("/predict").json() == []
        answer = client.post("/predict", content=grey(200)).json()
        assert [row["id"] for row in client.get("/predict").json()] == [answer["id"]]
        together = client.post("/predict/batch", files=[("file", ("a", grey(10))), ("file", ("b", grey(200)))]).json()
        assert [entry.get("code", entry.get("result")) for entry in together] == ["model_error", answer["result"]]
        assert all(0 <= row["score"] <= 1 for row in client.get("/predict").json())


@pytest.mark.parametrize("workers", ["1", "0"])
def test_a_shape_that_does_not_fit_ends_the_start(home: Path, workers: str) -> None:
    import subprocess

    (home / "m.onnx").write_bytes(linear(("N", 3, 6, 4)).SerializeToString())
    (home / "m.toml").write_text("[input]\nsize = [8, 8]\n", encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "cvserve", "serve", "--port", "0", "--model", "m.onnx", "--workers", workers],
        cwd=home, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 5
    assert "m.toml says size = (8, 8), but 'm.onnx' takes (4, 6)" in ended.stderr
    assert "Traceback" not in ended.stderr
