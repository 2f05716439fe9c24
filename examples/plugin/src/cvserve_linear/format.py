"""The format: one JSON object that begins with its name, and the plugin that reads it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvserve.backends import Backend, BackendPlugin, Kind, ModelFacts, ModelFile, ModelLoadError
from cvserve_linear.backend import LinearBackend

_MARK = b'{"format": "linear-json"'
_KIND = Kind("linear-json", "a linear model in JSON", (".linear",))


def dump(
    path: Path,
    weights: NDArray[Any],
    bias: NDArray[Any],
    labels: Sequence[str],
    size: tuple[int, int],
    scale: float = 1 / 255,
) -> None:
    """Write a model for grey pictures.

    Args:
        path: of the file.
        weights: float [W * H, C].
        bias: float [C].
        labels: of the C classes.
        size: width and height in pixels.
        scale: value = pixel * scale, with pixel 0…255.
    """
    model = {
        "format": "linear-json",
        "labels": list(labels),
        "size": list(size),
        "scale": scale,
        "weights": np.asarray(weights).tolist(),
        "bias": np.asarray(bias).tolist(),
    }
    path.write_text(json.dumps(model), encoding="utf-8")


def recognises(data: bytes) -> bool:
    """Whether these bytes are a linear model in JSON."""
    return data.startswith(_MARK)


def load(file: ModelFile) -> ModelFacts:
    """The model, and what its file says about the pictures that it takes.

    Raises:
        ModelLoadError: the file is damaged.
    """
    try:
        model = json.loads(file.data)
        labels = tuple(str(label) for label in model["labels"])
        width, height = (int(side) for side in model["size"])
        weights = np.array(model["weights"], dtype=np.float64)
        bias = np.array(model["bias"], dtype=np.float64)
        scale = float(model["scale"])
    except (ValueError, KeyError, TypeError, UnicodeDecodeError):
        raise ModelLoadError(f"'{file.path.name}' is cut off or damaged; write it again.") from None
    if weights.shape != (width * height, len(labels)) or bias.shape != (len(labels),):
        raise ModelLoadError(
            f"'{file.path.name}' has weights {list(weights.shape)} for {width} x {height} pixels and "
            f"{len(labels)} labels; write it again."
        )

    def connect(probe: NDArray[Any], wanted: str | None) -> tuple[Backend, str | None]:
        if wanted not in (None, "logits"):
            raise ModelLoadError(f"'{file.path.name}' gives logits, not {wanted}; correct [output] in its model.toml.")
        return LinearBackend(weights, bias), "logits"

    return ModelFacts(
        format=_KIND.key,
        connect=connect,
        features=width * height,
        labels=labels,
        input={"size": (width, height), "mode": "L", "layout": "flat", "scale": scale},
    )


plugin = BackendPlugin(_KIND, recognises, load)
