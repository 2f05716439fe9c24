"""`best.pth` and `model.py`, served with one command."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.command import cvserve
from support.pictures import encoded
from support.process import ServerProcess, fork_servers_of, workers_of
from support.torch_models import SIDE_PX, needs_torch, probabilities, scripted, trained, written

pytestmark = [needs_torch, pytest.mark.slow]


@pytest.fixture
def folder(home: Path) -> Path:
    """`model.py`, `model.toml` and `best.pth`, and nothing else."""
    import torch

    written(home / "net")
    torch.save(trained().state_dict(), home / "net" / "best.pth")
    return home / "net"


def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8))


def expected() -> list[float]:
    values = (np.asarray(picture()) / 255 - [0.5, 0.4, 0.3]) / 0.25
    batch = np.ascontiguousarray(values.transpose(2, 0, 1)[None], dtype=np.float32)
    return [round(float(score), 6) for score in probabilities(trained(), batch)[0]]


def answered(server: ServerProcess) -> list[float]:
    with server.client() as client:
        answers = [client.post("/predict", files={"file": ("a.png", encoded(picture()))}).json() for _ in range(3)]
    assert len({str(answer["top"]) for answer in answers}) == 1
    top = {entry["label"]: entry["score"] for entry in answers[0]["top"]}
    return [top[label] for label in ("cat", "dog", "mouse")]


@pytest.mark.parametrize("workers", ["2", "0"])
def test_served_with_one_command(folder: Path, server_process: Callable[..., ServerProcess], workers: str) -> None:
    arguments = ["--model", f"{folder / 'model.py'}:BaseModel", "--weights", str(folder / "best.pth")]
    server = server_process(*arguments, "--workers", workers)
    assert "serves basemodel" in server.stderr
    assert "guessed: scale – check with: cvserve model try" in server.stderr
    assert f"--weights {folder / 'best.pth'} img.jpg" in server.stderr
    assert np.allclose(answered(server), expected(), atol=2e-6)
    assert "Warning" not in server.stderr


def test_workers_are_forked_and_compute_on_one_thread(
    folder: Path, server_process: Callable[..., ServerProcess]
) -> None:
    server = server_process(
        "--model", f"{folder / 'model.py'}:BaseModel", "--weights", str(folder / "best.pth"), "--workers", "2"
    )
    answered(server)
    (fork_server,) = fork_servers_of(server.process.pid)
    for pid in (fork_server, *workers_of(server.process.pid)):
        assert len(list(Path(f"/proc/{pid}/task").iterdir())) == 1


def test_named_by_a_folder_the_class_needs_trust_and_the_weights_do_not(
    folder: Path, server_process: Callable[..., ServerProcess]
) -> None:
    Path("cvserve.toml").write_text('model = "net/model.py:BaseModel"\nweights = "net/best.pth"\n')
    refused = cvserve("serve", "--port", "0")
    assert refused.code == 5
    assert "'model.py' is a Python file, in which code can hide" in refused.err
    sha256 = refused.err.rpartition("--sha256 ")[2].strip()
    assert cvserve("model", "trust", str(folder / "model.py"), "--sha256", sha256).code == 0
    assert np.allclose(answered(server_process()), expected(), atol=2e-6)


def test_torchscript_by_its_hash(folder: Path, server_process: Callable[..., ServerProcess]) -> None:
    path = scripted(trained(), folder / "model.pt")
    refused = cvserve("serve", "--port", "0", "--model", str(path))
    sha256 = refused.err.rpartition("--sha256 ")[2].strip()
    server = server_process("--model", str(path), "--model-sha256", sha256, "--workers", "1")
    assert np.allclose(answered(server), expected(), atol=2e-6)
    assert "torch.jit" not in server.stderr  # nothing of PyTorch's own advice


def test_bare_weights_end_with_one_sentence(folder: Path) -> None:
    said = cvserve("serve", "--port", "0", "--model", str(folder / "best.pth"))
    assert said.code == 5
    assert said.out == ""
    assert said.err == (
        "cvserve: 'best.pth' holds the weights of a PyTorch model and not its class; name the class, or timm:NAME or "
        "torchvision.models:NAME where it is one of theirs: "
        f"cvserve serve --model model.py:ClassName --weights {folder / 'best.pth'}\n"
    )


def test_inspect_and_try(folder: Path) -> None:
    model = [f"{folder / 'model.py'}:BaseModel", "--weights", str(folder / "best.pth")]
    inspected = cvserve("model", "inspect", *model)
    assert inspected.code == 0, inspected.err
    for word in ("torch", "BaseModel", "best.pth", "cat, dog, mouse"):
        assert word in inspected.out
    assert f"check with: cvserve model try {' '.join(model)} img.jpg" in inspected.err
    picture().save("x.png")
    tried = cvserve("model", "try", *[model[0], "x.png", *model[1:]])
    assert tried.code == 0, tried.err
    assert "float32 [3, 8, 8]" in tried.out
