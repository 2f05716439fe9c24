"""Trains the built-in digit model and writes ``digits.npz``: pictures, features, network, calibration, export.

Run it from the repository's root; ``training/README.md`` says what must be installed. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from cvserve.predictor.backends.builtin.grid import GRID_SIDE
from dataset import NO_DIGIT, features_of, training_pictures, tuning_pictures
from export import network_arrays, write_npz
from fonts import missing_packages
from photos import OPENCV_DATA
from scans import OPENCV_DIGITS

MODEL = Path(__file__).resolve().parent.parent / "src" / "cvserve" / "predictor" / "backends" / "builtin" / "digits.npz"
SEED = 20
CHUNK = 1000
HIDDEN = (384, 128)
# Weight decay, and the learning rates with their passes over the data.
DECAY = 1e-2
PHASES = ((1e-3, 12), (3e-4, 6), (1e-4, 4))
# Share of the tuning digits that may get a warning.
REFUSED_DIGITS = 0.008

Rows = tuple[NDArray[np.float32], NDArray[np.int64]]


def chunk(number: int) -> Rows:
    """Features and labels of one thousand training pictures."""
    return features_of(training_pictures(CHUNK, (SEED, number)))


def training_rows(chunks: int, workers: int) -> Rows:
    """Features and labels of all training pictures; the number of workers does not change them."""
    parts = []
    with ProcessPoolExecutor(workers) as pool:
        for number, part in enumerate(pool.map(chunk, range(chunks))):
            parts.append(part)
            print(f"pictures: {(number + 1) * CHUNK:,} of {chunks * CHUNK:,}", flush=True)
    return np.concatenate([rows for rows, _ in parts]), np.concatenate([labels for _, labels in parts])


def scaling(rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What to take off each feature and to multiply it with: one scale for the grid, one per measure."""
    pixels = GRID_SIDE * GRID_SIDE
    spread = np.maximum(rows[:, pixels:].std(axis=0), 1e-3)
    scale = np.concatenate((np.full(pixels, 2.5), 1 / spread)).astype(np.float32)
    return rows.mean(axis=0), scale


def fitted(rows: NDArray[np.float32], labels: NDArray[np.int64]) -> MLPClassifier:
    """Train the network with falling learning rates."""
    network = MLPClassifier(HIDDEN, alpha=DECAY, batch_size=256, random_state=0, warm_start=True, n_iter_no_change=1000)
    for rate, passes in PHASES:
        network.set_params(learning_rate_init=rate, max_iter=passes)
        with warnings.catch_warnings():
            # Each phase ends after its passes on purpose.
            warnings.simplefilter("ignore", ConvergenceWarning)
            network.fit(rows, labels)
        print(f"learning rate {rate}: loss {network.loss_:.4f}", flush=True)
    return network


def outputs(network: MLPClassifier, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Outputs before the soft-max, float32 [N, 11]."""
    values = rows
    for layer, (matrix, bias) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
        values = values @ matrix + bias
        if layer < len(network.coefs_) - 1:
            values = np.maximum(values, 0)
    return values


def log_soft_max(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logarithms of the probabilities, row by row."""
    shifted = values - values.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def calibrated(values: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Fit the temperature (Guo 2017) and the threshold of the warning to tuning pictures.

    Args:
        values: outputs of tuning pictures.
        labels: their labels.

    Returns:
        The temperature with the least log-loss over digits, and the "no digit" probability that at most
        ``REFUSED_DIGITS`` of the digits reach.
    """
    digits = labels != NO_DIGIT
    places = np.arange(int(digits.sum()))
    temperatures = np.linspace(0.5, 4, 141)
    losses = [-log_soft_max(values[digits, :NO_DIGIT] / t)[places, labels[digits]].mean() for t in temperatures]
    refusals = np.exp(log_soft_max(values)[digits, NO_DIGIT])
    return float(temperatures[int(np.argmin(losses))]), float(np.quantile(refusals, 1 - REFUSED_DIGITS))


def main() -> None:
    """Train and write the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=100, help="thousands of training pictures")
    parser.add_argument("--workers", type=int, default=2, help="processes that draw pictures")
    parser.add_argument("--output", type=Path, default=MODEL, help="where to write the model")
    options = parser.parse_args()
    missing = list(missing_packages())
    if not (OPENCV_DIGITS.is_file() and OPENCV_DATA.is_dir()):
        missing.append("opencv-doc")
    if missing:
        sys.exit(f"These Debian packages are missing: {' '.join(missing)}")
    rows, labels = training_rows(options.chunks, options.workers)
    mean, scale = scaling(rows)
    network = fitted((rows - mean) * scale, labels)
    tuning, tuning_labels = features_of(tuning_pictures())
    temperature, refusal = calibrated(outputs(network, (tuning - mean) * scale), tuning_labels)
    print(f"temperature {temperature:.3f}, threshold of the warning {refusal:.3f}")
    numbers: dict[str, NDArray[np.generic]] = {
        "mean": mean.astype(np.float32),
        "scale": scale,
        "temperature": np.asarray(temperature, dtype=np.float32),
        "refusal": np.asarray(refusal, dtype=np.float32),
        "trained_on": np.asarray(len(rows), dtype=np.int64),
    }
    write_npz(options.output, network_arrays(network.coefs_, network.intercepts_, numbers))
    print(f"{options.output}: {hashlib.sha256(options.output.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
