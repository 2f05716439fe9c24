"""Devices of ONNX Runtime without one of them: what is missing is said, and the CPU never takes its place unasked.

The library is the real one. Where a provider must seem to be there, the library's own list of them is made longer;
what it then does is what it does to users: it takes the CPU.
"""

import importlib.metadata
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from cvserve import Predictor
from cvserve.errors import ModelLoadError
from cvserve.predictor.backends.onnx import providers
from cvserve.predictor.backends.onnx.runtime import find_provider, open_session
from cvserve.predictor.source import ModelSource
from support.onnx_models import linear

PHOTO = Image.fromarray(np.full((4, 4, 3), 90, dtype=np.uint8))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    path.write_bytes(linear(["n", 3, 4, 4]).SerializeToString())
    return path


@pytest.fixture
def with_cuda_in_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `onnxruntime-gpu` says it, whose providers are compiled in, whether their libraries are there or not."""
    names = ["CUDAExecutionProvider", "TensorrtExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)


@pytest.fixture
def with_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "_has_nvidia", lambda: True)


@pytest.fixture
def with_both_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    both = {"onnxruntime": ["onnxruntime", "onnxruntime-gpu"]}
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: both)


def refusal(path: Path, device: str = "cuda", *, half: bool = False) -> str:
    with pytest.raises(ModelLoadError) as caught:
        Predictor.load(path, device=device, half=half)
    return str(caught.value)


@pytest.mark.parametrize(("device", "package"), [("cuda", "-gpu"), ("tensorrt:1", "-gpu"), ("openvino", "-openvino")])
def test_a_provider_that_is_not_installed_is_named_with_what_to_run(model: Path, device: str, package: str) -> None:
    said = refusal(model, device)
    assert said.startswith(f"'net.onnx' cannot compute on {device}: the ONNX Runtime that is installed, ")
    assert said.endswith(f"run: pip uninstall -y onnxruntime && pip install onnxruntime{package}")


def test_what_runs_no_onnx_is_named(model: Path) -> None:
    assert refusal(model, "mps") == "'net.onnx' cannot compute on mps, which runs PyTorch models; use --device cpu"


@pytest.mark.usefixtures("with_both_libraries")
def test_one_library_over_another_is_named(model: Path) -> None:
    assert refusal(model).endswith(
        "onnxruntime and onnxruntime-gpu are both installed, and each overwrites the other's files; run: pip uninstall "
        "-y onnxruntime onnxruntime-gpu && pip install onnxruntime-gpu"
    )


@pytest.mark.usefixtures("with_both_libraries", "with_gpu")
def test_one_library_over_another_is_told_where_nobody_asked_for_a_device(model: Path) -> None:
    with pytest.warns(UserWarning, match="ONNX models run on the CPU: onnxruntime and onnxruntime-gpu are both"):
        assert Predictor.load(model).info.device == "cpu"


@pytest.mark.usefixtures("with_cuda_in_the_library")
@pytest.mark.filterwarnings("ignore:Specified provider")
@pytest.mark.parametrize("device", ["cuda", "tensorrt:1"])
def test_the_library_takes_the_cpu_and_we_do_not(model: Path, device: str) -> None:
    provider = find_provider(ModelSource(device=device))
    session = open_session(model.read_bytes(), provider)
    assert session.get_providers() == ["CPUExecutionProvider"]  # what the library does, without a word
    said = refusal(model, device)
    assert f"cannot compute on {provider.device}: ONNX Runtime did not load {provider.name} and would take the" in said
    assert "use --device cpu" in said


@pytest.mark.usefixtures("with_cuda_in_the_library", "with_gpu")
@pytest.mark.filterwarnings("ignore:Specified provider")
def test_auto_takes_a_gpu_that_is_there_or_says_why_not(model: Path) -> None:
    assert "cannot compute on cuda:0: ONNX Runtime did not load CUDAExecutionProvider" in refusal(model, "auto")


@pytest.mark.usefixtures("with_cuda_in_the_library")
def test_auto_is_the_cpu_where_no_gpu_can_be_seen(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    predictor = Predictor.load(model)
    assert predictor.info.device == "cpu"
    assert predictor.predict(PHOTO).model.device == "cpu"


@pytest.mark.usefixtures("with_cuda_in_the_library")
@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_damaged_file_is_no_fault_of_the_device(model: Path) -> None:
    model.write_bytes(model.read_bytes().replace(b"MatMul", b"MotMul"))
    assert "ONNX Runtime did not load" not in (said := refusal(model))
    assert "cannot run 'net.onnx'" in said


def test_half_precision_is_the_file_s_affair(model: Path) -> None:
    assert "'net.onnx' has its precision in the file, which ONNX Runtime keeps on cpu" in refusal(
        model, "cpu", half=True
    )


@pytest.mark.usefixtures("with_cuda_in_the_library")
def test_tensorrt_halves_what_it_is_given() -> None:
    half = find_provider(ModelSource(device="tensorrt", half=True))
    assert half.half
    assert half.names[0] == ("TensorrtExecutionProvider", {"device_id": "0", "trt_fp16_enable": "True"})
    assert [name for name, _ in half.names[1:]] == ["CUDAExecutionProvider", "CPUExecutionProvider"]
