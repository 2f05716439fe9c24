"""The built-in model: a small multi-layer perceptron for ten digits and "no digit", run with NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from cvserve.predictor.backends.builtin.grid import GRID_SIDE

CLASSES = 10
NOT_A_DIGIT = "This does not look like a picture of one digit, so the answer means little."

# Where the features hold the pen's contrast, 0..1; a fainter drawing than this needs more certainty, as grain
# and light can look like one: a smaller share of the usual "no digit" probability makes a warning.
CONTRAST = GRID_SIDE * GRID_SIDE
FAINT = 0.18
FAINT_SHARE = 0.15

# When no digit has at least this probability, none was recognised, whatever "no digit" says.
UNSURE = 0.4

WEIGHTS_FILE = "digits.npz"


@dataclass(frozen=True, slots=True)
class Weights:
    """The trained arrays.

    Attributes:
        matrices: one [inputs, outputs] per layer, float32.
        biases: one [outputs] per layer, float32.
        temperature: divides the ten digit outputs before the soft-max.
        refusal: least probability of "no digit" that makes a warning.
    """

    matrices: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]
    temperature: float
    refusal: float


@cache
def load_weights() -> Weights:
    """Read the weights from the package, once a process."""
    with (
        files("cvserve.predictor.backends.builtin").joinpath(WEIGHTS_FILE).open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        layers = range(int(arrays["layers"]))
        matrices = [_matrix(arrays[f"matrix_{n}"], arrays[f"step_{n}"]) for n in layers]
        biases = [arrays[f"bias_{n}"] for n in layers]
        # The network was trained on (features - mean) * scale; the first layer takes that over.
        matrices[0] *= arrays["scale"][:, None]
        biases[0] = biases[0] - arrays["mean"] @ matrices[0]
        return Weights(
            matrices=tuple(matrices),
            biases=tuple(biases),
            temperature=float(arrays["temperature"]),
            refusal=float(arrays["refusal"]),
        )


def _matrix(steps: NDArray[np.int8], step: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights are stored as whole steps, -127..127, of one step size per output."""
    return np.ascontiguousarray(steps.astype(np.float32) * step)


def outputs(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Outputs before the soft-max, float32 [N, 11]: ten digits and "no digit"."""
    weights = load_weights()
    values = features
    last = len(weights.matrices) - 1
    for layer, (matrix, bias) in enumerate(zip(weights.matrices, weights.biases, strict=True)):
        values = values @ matrix + bias
        if layer < last:
            np.maximum(values, 0, out=values)
    return values


def _soft_max(values: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def forward(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Score a batch.

    Args:
        features: rows from ``preparation.prepare``, float32 [N, F].

    Returns:
        Probabilities of the digits 0 to 9, float32 [N, 10]; each row sums to 1.
    """
    return infer(features)[0]


def infer(features: NDArray[np.float32]) -> tuple[NDArray[np.float32], list[str | None]]:
    """Score a batch and tell which rows do not look like a digit.

    Args:
        features: rows from ``preparation.prepare``, float32 [N, F].

    Returns:
        Probabilities of the digits 0 to 9, float32 [N, 10], and per row a warning for the user or None.
    """
    weights = load_weights()
    values = outputs(features)
    digits = _soft_max(values[:, :CLASSES] / np.float32(weights.temperature))
    faint = features[:, CONTRAST] < FAINT
    refused = _soft_max(values)[:, CLASSES] >= np.where(faint, weights.refusal * FAINT_SHARE, weights.refusal)
    refused |= digits.max(axis=1) < UNSURE
    return digits, [NOT_A_DIGIT if row else None for row in refused]
