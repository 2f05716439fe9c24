"""The plugin for LiteRT of `examples/litert`: what needs no LiteRT here; where it is installed, its own tests run."""

import importlib
import importlib.util
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.pages import ROOT

EXAMPLE = ROOT / "examples" / "litert"


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of the example."""
    monkeypatch.syspath_prepend(EXAMPLE / "src")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield lambda name: importlib.import_module(f"cvserve_litert.{name}")
    for name in [name for name in sys.modules if name.startswith("cvserve_litert")]:
        del sys.modules[name]


def archived(name: str, data: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return b"\x1c\x00\x00\x00TFL3" + bytes(50) + stream.getvalue()


def details(dtype: type, step: float = 0.0, zero_point: int = 0, scales: int = 1) -> dict[str, Any]:
    """An input as LiteRT describes it."""
    found = {"scales": np.full(scales if step else 0, step), "zero_points": np.full(scales if step else 0, zero_point)}
    shape = np.array([1, 4, 6, 3])
    return {"name": "pixels", "index": 3, "shape": shape, "dtype": dtype, "quantization_parameters": found}


@pytest.mark.parametrize(
    ("dtype", "step", "zero_point"),
    [(np.uint8, 1 / 255, 0), (np.uint8, 1 / 127.5, 128), (np.int8, 0.00392151, -128), (np.int8, 1.0, -128)],
)
def test_a_quantised_model_gets_the_pixels_themselves(package: Any, dtype: type, step: float, zero_point: int) -> None:
    tensor = package("tensor").Tensor.of(details(dtype, step, zero_point))
    pixels = np.arange(256, dtype=np.float32)
    said = tensor.pixels()
    numbers = tensor.to_numbers(pixels * np.float32(said["scale"]) - np.float32(said["mean"][0]))
    assert numbers.dtype == dtype
    assert np.array_equal(numbers.astype(int), pixels.astype(int) + int(np.iinfo(dtype).min))
    assert np.allclose(tensor.to_values(numbers), (numbers.astype(float) - zero_point) * step, atol=1e-4)


def test_values_out_of_range_are_its_ends(package: Any) -> None:
    tensor = package("tensor").Tensor.of(details(np.int8, 0.5, 0))
    assert tensor.to_numbers(np.array([-1e9, 0.3, 1e9], np.float32)).tolist() == [-128, 1, 127]


def test_an_input_of_several_scales_is_refused(package: Any) -> None:
    with pytest.raises(ValueError, match="'pixels' has 3 scales"):
        package("tensor").Tensor.of(details(np.int8, 0.5, scales=3))


def test_labels_are_found_behind_the_model(package: Any) -> None:
    read = package("labels").read_labels
    assert read(archived("labels.txt", b"cat\ndog\n\n"), 2) == ("cat", "dog")
    assert read(archived("metadata.json", b'{"names": {"0": "cat", "1": "dog"}}'), 2) == ("cat", "dog")
    for name, data in [
        ("labels.txt", b"cat\n"),
        ("labels.txt", b"\xff\xfe"),
        ("labels.txt", bytes(20 * 1024**2)),
        ("metadata.json", b'{"names": ["cat"]}'),
        ("metadata.json", b"["),
        ("metadata.json", b"[" * 100_000),
        ("other.bin", b"cat\ndog"),
    ]:
        assert read(archived(name, data), 2) is None
    assert read(b"\x1c\x00\x00\x00TFL3", 2) is None


def test_it_takes_lite_models_only_and_asks_for_trust(package: Any) -> None:
    plugin = package("format").plugin
    assert plugin.recognises(b"\x1c\x00\x00\x00TFL3" + bytes(9))
    assert not plugin.recognises(b"PK\x03\x04TFL")
    assert plugin.kind.hides_code
    assert "ai_edge_litert" not in sys.modules


def test_its_own_tests_pass(tmp_path: Path) -> None:
    if not importlib.util.find_spec("ai_edge_litert"):
        pytest.skip("pip install ai-edge-litert, and this test runs")
    source, site = tmp_path / "source", tmp_path / "site"
    subprocess.run(["cp", "-r", str(EXAMPLE), str(source)], check=True)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(site),
    ]
    subprocess.run([*pip, str(source)], check=True, timeout=120)
    environment = {**os.environ, "PYTHONPATH": f"{site}:{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(source)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
