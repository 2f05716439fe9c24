"""One small model of each format that is served, and pictures to ask them about."""

import hashlib
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import skops.io
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from support.pictures import digit_photo, encoded
from support.torch_models import LABELS, SIZE, exported, needs_torch, scripted, trained, written

SIDE_PX = 8
GREY = f'[input]\nsize = [{SIDE_PX}, {SIDE_PX}]\nmode = "L"\nscale = 0.00392156862745098\n'


class Model(NamedTuple):
    """How a model is named.

    Attributes:
        load: arguments of `Predictor.load`.
        options: of the command line.
    """

    load: dict[str, Any]
    options: list[str]


def _estimator_file(kind: str, suffix: str, mode: str, folder: Path) -> Model:
    path = folder / f"model{suffix}"
    if suffix == ".skops":
        skops.io.dump(estimator(kind), path)
    else:
        joblib.dump(estimator(kind), path)
    path.with_suffix(".toml").write_text(GREY, encoding="utf-8")
    trust = [] if suffix == ".skops" else ["--model-sha256", _sha256(path)]
    return Model(
        {"path": path, "compile": mode, "trust": suffix != ".skops"}, ["--model", str(path), "--compile", mode, *trust]
    )


def _onnx(folder: Path) -> Model:
    from skl2onnx import to_onnx

    path = folder / "model.onnx"
    graph = to_onnx(estimator("network"), np.zeros((1, SIDE_PX**2), np.float32), options={"zipmap": False})
    path.write_bytes(graph.SerializeToString())
    path.with_suffix(".toml").write_text(GREY, encoding="utf-8")
    return Model({"path": path}, ["--model", str(path)])


def _own_class(folder: Path) -> Model:
    path = folder / "own_model.py"
    path.write_text(
        "import numpy as np\n\n\nclass Own:\n    labels = ['dark', 'light', 'uneven']\n\n"
        "    def infer(self, batch):\n        values = batch.reshape(len(batch), -1)\n"
        "        return np.stack([1 - values.mean(axis=1), values.mean(axis=1), values.std(axis=1)], axis=1) * 3\n",
        encoding="utf-8",
    )
    path.with_suffix(".toml").write_text(f'{GREY}[output]\nscores = "logits"\n', encoding="utf-8")
    return Model({"path": f"{path}:Own"}, ["--model", f"{path}:Own"])


def _written(folder: Path) -> Path:
    return written(folder, toml=LABELS + SIZE.replace('resize = "exact"', 'resize = "crop"'))


def _state_dict(folder: Path) -> Model:
    import torch

    source, weights = _written(folder), folder / "best.pth"
    torch.save(trained().state_dict(), weights)
    name = f"{source}:BaseModel"
    return Model({"path": name, "weights": weights}, ["--model", name, "--weights", str(weights)])


def _torch_file(save: Callable[[Any, Path], Path], suffix: str, folder: Path) -> Model:
    _written(folder)
    path = save(trained(), folder / f"model{suffix}")
    return Model({"path": path, "trust": True}, ["--model", str(path), "--model-sha256", _sha256(path)])


def _torch_onnx(folder: Path) -> Model:
    """The same network as in the other files of PyTorch, exported."""
    import torch

    _written(folder)
    path = folder / "model.onnx"
    example = (torch.rand(2, 3, SIDE_PX, SIDE_PX),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's exporter talks about itself
        torch.onnx.export(
            trained(), example, path, dynamic_shapes=({0: torch.export.Dim("n")},), external_data=False, verbose=False
        )
    return Model({"path": path}, ["--model", str(path)])


def _file(make: Callable[..., Model], *arguments: Any) -> Callable[[Path], Model]:
    return lambda folder: make(*arguments, folder)


FORMATS: dict[str, Callable[[Path], Model]] = {
    "built-in": lambda _: Model({}, []),
    "skops": _file(_estimator_file, "linear", ".skops", "never"),
    "skops, compiled": _file(_estimator_file, "linear", ".skops", "require"),
    "joblib": _file(_estimator_file, "forest", ".joblib", "never"),
    "joblib, compiled": _file(_estimator_file, "forest", ".joblib", "require"),
    "ONNX": _onnx,
    "own class": _own_class,
}
TORCH_FORMATS: dict[str, Callable[[Path], Model]] = {
    "state dict": _state_dict,
    "TorchScript": lambda folder: _torch_file(scripted, ".pt", folder),
    "torch.export": lambda folder: _torch_file(exported, ".pt2", folder),
    "ONNX from PyTorch": _torch_onnx,
}
needs = dict.fromkeys(TORCH_FORMATS, needs_torch)


@cache
def estimator(kind: str) -> Any:
    """A fitted one for three kinds of noise."""
    rng = np.random.default_rng(5)
    classes = rng.integers(0, 3, 240)
    values = np.clip(rng.normal(0.3 + 0.2 * classes[:, None], 0.25, (240, SIDE_PX**2)), 0, 1).astype(np.float32)
    made = {
        "linear": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
        "forest": lambda: RandomForestClassifier(30, random_state=0),
        "network": lambda: MLPClassifier((16,), max_iter=400, tol=1e-2, random_state=0),
    }
    return made[kind]().fit(values, classes)


@cache
def pictures() -> dict[str, bytes]:
    """Of several formats, modes and sizes, from noise to nothing."""
    rng = np.random.default_rng(11)

    def noise(width: int, height: int, channels: int) -> Image.Image:
        values = rng.integers(0, 256, (height, width, channels), dtype=np.uint8)
        return Image.fromarray(values[:, :, 0] if channels == 1 else values)

    photo = Image.fromarray(np.kron(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), np.ones((64, 64, 1), np.uint8)))
    return {
        "photo.jpg": digit_photo("4"),
        "blocks.jpg": encoded(photo, "JPEG", quality=85),
        "progressive.jpg": encoded(photo, "JPEG", progressive=True),
        "noise.png": encoded(noise(40, 30, 3)),
        "grey.png": encoded(noise(31, 57, 1)),
        "alpha.png": encoded(noise(20, 20, 4)),
        "small.webp": encoded(noise(8, 8, 3), "WEBP", lossless=True),
        "black.png": encoded(Image.new("L", (64, 64), 0)),
        "white.jpg": encoded(Image.new("RGB", (300, 200), (255, 255, 255)), "JPEG"),
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
