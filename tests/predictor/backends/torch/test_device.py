"""Where a PyTorch module computes: chosen with a sentence for what is not there, and the same for module and input.

No GPU is needed: `meta` is a device of PyTorch that computes nothing, and on which nothing of another device can take
part.
"""

import contextlib
import importlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvserve import Predictor
from cvserve.errors import ModelLoadError
from support.torch_models import SIDE_PX, exported, needs_torch, scripted, trained, written

pytestmark = needs_torch
BATCH = np.random.default_rng(3).random((2, 3, SIDE_PX, SIDE_PX), dtype=np.float32)
PHOTO = Image.fromarray(np.random.default_rng(3).integers(0, 256, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8))


@pytest.fixture
def torch() -> Any:
    return importlib.import_module("torch")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(trained(), tmp_path_factory.mktemp("export") / "net.pt2")


@pytest.fixture
def weights(tmp_path: Path, torch: Any) -> Path:
    path = tmp_path / "best.pth"
    torch.save(trained().state_dict(), path)
    return path


@pytest.fixture
def with_two_cuda_devices(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch says that it has them; whoever tries to use one finds out."""
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def refusal(path: Path, device: str, **options: Any) -> str:
    with pytest.raises(ModelLoadError) as caught:
        Predictor.load(f"{written(path.parent)}:BaseModel", device=device, weights=path, **options)
    return str(caught.value)


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_the_cpu_is_the_default_where_there_is_no_cuda(weights: Path, device: str) -> None:
    predictor = Predictor.load(f"{written(weights.parent)}:BaseModel", device=device, weights=weights)
    assert predictor.info.device == "cpu"


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        ("cuda", "is one for the CPU; install one with CUDA"),
        ("mps", "finds no GPU of Apple's here; use --device cpu"),
        ("openvino", "runs ONNX models; export it with torch.onnx.export, or use --device c"),
    ],
)
def test_what_is_not_there_is_named_with_the_way_out(
    weights: Path, device: str, reason: str, torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert f"BaseModel in model.py cannot compute on {device}" in (said := refusal(weights, device))
    assert reason in said


def test_a_driver_that_is_missing_is_told_from_a_pytorch_without_cuda(
    weights: Path, torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "sees no CUDA device; check what nvidia-smi" in refusal(weights, "cuda")


@pytest.mark.usefixtures("with_two_cuda_devices")
def test_a_device_with_too_high_a_number_is_named(weights: Path) -> None:
    assert "cannot compute on cuda:2: PyTorch sees cuda:0 to cuda:1; use --device cuda:0" in refusal(weights, "cuda:2")


@pytest.mark.usefixtures("with_two_cuda_devices")
@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_device_that_does_not_work_is_no_reason_to_use_the_cpu(weights: Path, device: str) -> None:
    assert "cannot be moved to cuda:0: " in refusal(weights, device)


def test_half_precision_on_the_cpu_is_bfloat16_and_close(weights: Path, torch: Any) -> None:
    path = f"{written(weights.parent)}:BaseModel"
    full, half = (Predictor.load(path, weights=weights, half=half) for half in (False, True))
    assert half.model.origins["half"] == (True, "settings")
    assert "half" not in full.model.origins
    scores = [predictor.infer(BATCH) for predictor in (full, half)]
    assert np.asarray(scores[1]).dtype == np.float32
    assert 0 < np.abs(np.asarray(scores[0]) - np.asarray(scores[1])).max() < 0.05
    assert half.predict(PHOTO).label == full.predict(PHOTO).label
    assert {value.dtype for value in vars(half.model.backend)["_call"].parameters()} == {torch.bfloat16}


def test_half_precision_of_torchscript(tmp_path: Path) -> None:
    predictor = Predictor.load(_scripted(tmp_path), trust=True, half=True)
    assert predictor.predict(PHOTO).result == Predictor.load(_scripted(tmp_path), trust=True).predict(PHOTO).result


def _scripted(folder: Path) -> Path:
    (folder / "net.toml").write_text((written(folder).parent / "model.toml").read_text())
    return scripted(trained(), folder / "net.pt")


def test_an_exported_program_has_its_precision_in_it(program: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"'net.pt2' has its precision in it and cannot be halved; .* --half out"):
        Predictor.load(program, trust=True, half=True)


def test_module_and_batch_are_on_one_device(torch: Any) -> None:
    placement = _placement(torch, "meta")
    module = placement.place(trained())
    with torch.inference_mode():
        given = module(placement.send(BATCH))
    assert given.device.type == "meta"
    assert {value.device.type for value in (*module.parameters(), *module.buffers())} == {"meta"}
    with pytest.raises(RuntimeError), torch.inference_mode():  # else this test could not fail
        module(torch.from_numpy(BATCH))


def test_bytes_stay_bytes_in_half_precision(torch: Any) -> None:
    placement = _placement(torch, "meta", half=True)
    assert placement.send(BATCH).dtype == torch.float16
    assert placement.send((BATCH * 255).astype(np.uint8)).dtype == torch.uint8
    assert _placement(torch, "cpu", half=True).send(BATCH).dtype == torch.bfloat16


def test_an_exported_program_can_be_moved(program: Path, torch: Any) -> None:
    with contextlib.redirect_stderr(io.StringIO()):
        loaded = torch.export.load(program)
        moved = importlib.import_module(_DEVICE).move_export(torch, loaded, "meta").module()
    with torch.inference_mode():
        assert moved(torch.from_numpy(BATCH).to("meta")).device.type == "meta"


_DEVICE = "cvserve.predictor.backends.torch.device"


def _placement(torch: Any, device: str, *, half: bool = False) -> Any:
    return importlib.import_module(_DEVICE).Placement(torch, device, half)
