"""Networks that answer differently alone and in a batch, or at random: in each form that can be served.

Importing this needs PyTorch. Each entry makes a model in a folder and says how it is loaded.
"""

import shutil
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler, minmax_scale
from torch import nn

from frameworks import estimators, net
from frameworks.onnx_nets import FREE, Wrapped, exported
from frameworks.torch_nets import FREE_BATCH, INPUT, batch, trained

_OWN_PY = """import numpy as np
import torch
from torch import nn

from model import Net

torch.manual_seed(3)


class ForgotEval:
    scores = "logits"

    def setup(self):
        self.net = Net()
        self.net.dropout = nn.Identity()
        self.net.load_state_dict(torch.load(self.weights))

    def infer(self, batch):
        with torch.inference_mode():
            return self.net(torch.from_numpy(batch)).numpy()


class ForgotEvalWithDropout(ForgotEval):
    def setup(self):
        super().setup()
        self.net.dropout = nn.Dropout(0.3)


class OfNumbersByChance(ForgotEval):
    def setup(self):
        super().setup()
        self.net.eval()

    def infer(self, batch):
        noise = np.random.normal(0, 0.1, batch.shape).astype(np.float32)
        return super().infer(batch + noise)


class OfTheWholeBatch(ForgotEval):
    def setup(self):
        super().setup()
        self.net.eval()

    def infer(self, batch):
        return super().infer((batch - batch.mean(axis=0)) / (batch.std(axis=0) + 1))
"""
_MODULES_PY = """import torch
from torch import nn
from torch.nn import functional as F

from model import Net


class OfTheWholeBatch(Net):
    def forward(self, x):
        return super().forward(x - x.mean(dim=0))


class WithoutStatistics(Net):
    def forward(self, x):
        x = F.batch_norm(x, None, None, training=True)
        return super().forward(x)


class FunctionalDropout(Net):
    def forward(self, x):
        return self.head(F.dropout(self.features(x).mean(dim=(2, 3)), 0.5))


class WithNoise(Net):
    def forward(self, x):
        return super().forward(x + 0.1 * torch.randn_like(x))
"""


class Broken(NamedTuple):
    """How a broken model is loaded.

    Attributes:
        path: what `--model` names.
        load: further arguments of `Predictor.load`.
    """

    path: str | Path
    load: dict[str, Any]


class Noisy(nn.Module):
    """Numbers by chance within a graph."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add noise."""
        return x + 0.1 * torch.randn_like(x)


def _named(name: str, folder: Path) -> Broken:
    """A class or module in one of the two files."""
    shutil.copy(net.__file__, folder / "model.py")
    for file, text in (("own.py", _OWN_PY), ("nets.py", _MODULES_PY)):
        (folder / file).write_text(text, encoding="utf-8")
        (folder / file).with_suffix(".toml").write_text(INPUT, encoding="utf-8")
    torch.save(trained().state_dict(), folder / "best.pth")
    return Broken(f"{folder}/{name}", {"weights": folder / "best.pth"})


def _in_training() -> Any:
    module = net.Net()
    module.load_state_dict(trained().state_dict())
    return module.train()


def _alone(save: Callable[[Path], Any], suffix: str, folder: Path) -> Broken:
    path = folder / f"model{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's savers talk about themselves
        save(path)
    path.with_suffix(".toml").write_text(INPUT, encoding="utf-8")
    return Broken(path, {"trust": True})


def _trace(path: Path) -> None:
    torch.jit.save(torch.jit.trace(_in_training(), batch()[:1], check_trace=False), path)


def _export(module: nn.Module, path: Path) -> None:
    torch.export.save(torch.export.export(module, (batch()[:2],), dynamic_shapes=FREE_BATCH), path)


def _onnx(module: nn.Module, path: Path) -> None:
    exported(path, module, batch()[:2], FREE)


def _onnx_in_training(path: Path) -> None:
    torch.onnx.export(
        _in_training(), (batch()[:2],), path, input_names=["pixels"], output_names=["scores"], dynamic_axes=FREE,
        dynamo=False, training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False,
    )  # fmt: skip


def _pipeline(function: Any, folder: Path) -> Broken:
    """A pipeline with a step that treats the rows of a batch as one thing, or rolls dice."""
    values, classes = estimators.training_data()
    classifier = estimators.MAKERS["LogisticRegression"]()
    model = make_pipeline(FunctionTransformer(function), StandardScaler(), classifier)
    np.random.seed(5)
    model.fit(values, classes)
    path = folder / "model.joblib"
    joblib.dump(model, path)
    path.with_suffix(".toml").write_text(estimators.INPUT, encoding="utf-8")
    return Broken(path, {"trust": True, "compile": "never"})


BROKEN: dict[str, Callable[[Path], Broken]] = {
    "own class that forgot eval()": partial(_named, "own.py:ForgotEval"),
    "own class that forgot eval(), with dropout": partial(_named, "own.py:ForgotEvalWithDropout"),
    "own class of numbers by chance": partial(_named, "own.py:OfNumbersByChance"),
    "own class of the whole batch": partial(_named, "own.py:OfTheWholeBatch"),
    "module of the whole batch": partial(_named, "nets.py:OfTheWholeBatch"),
    "module without running statistics": partial(_named, "nets.py:WithoutStatistics"),
    "module with functional dropout": partial(_named, "nets.py:FunctionalDropout"),
    "module with noise": partial(_named, "nets.py:WithNoise"),
    "TorchScript traced in training": partial(_alone, _trace, ".pt"),
    "torch.export in training": partial(_alone, lambda path: _export(_in_training(), path), ".pt2"),
    "torch.export of the whole batch": partial(
        _alone, lambda path: _export(Wrapped(before=lambda x: x - x.mean(dim=0)).eval(), path), ".pt2"
    ),
    "torch.export with noise": partial(
        _alone, lambda path: _export(nn.Sequential(Noisy(), trained()).eval(), path), ".pt2"
    ),
    "ONNX in training": partial(_alone, _onnx_in_training, ".onnx"),
    "ONNX of the whole batch": partial(
        _alone, lambda path: _onnx(Wrapped(before=lambda x: x - x.mean(dim=0)), path), ".onnx"
    ),
    "ONNX with noise": partial(_alone, lambda path: _onnx(nn.Sequential(Noisy(), trained()), path), ".onnx"),
    "scikit-learn that scales a batch by itself": partial(_pipeline, minmax_scale),
    "scikit-learn of numbers by chance": partial(_pipeline, np.random.poisson),
    "scikit-learn that shuffles a batch": partial(_pipeline, np.random.permutation),
}
