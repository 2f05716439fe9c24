"""Writes the weights of a trained scikit-learn network as plain small arrays, equal bytes for equal weights."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def quantised(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round a [inputs, outputs] matrix to whole steps of one size per output, -127..127."""
    step = np.maximum(np.abs(matrix).max(axis=0), 1e-8) / 127
    return np.round(matrix / step).astype(np.int8), step.astype(np.float32)


def write_npz(path: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
    """Write an .npz whose bytes do not depend on the clock, as ``numpy.savez_compressed`` does not promise."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(2000, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data.getvalue())


def network_arrays(
    matrices: list[NDArray[np.float32]],
    biases: list[NDArray[np.float32]],
    numbers: dict[str, NDArray[np.generic]],
) -> dict[str, NDArray[np.generic]]:
    """Arrays of a multi-layer perceptron in the layout that ``cvserve.predictor.backends.builtin.digits`` reads."""
    arrays: dict[str, NDArray[np.generic]] = {"layers": np.asarray(len(matrices), dtype=np.int64), **numbers}
    for n, (matrix, bias) in enumerate(zip(matrices, biases, strict=True)):
        arrays[f"matrix_{n}"], arrays[f"step_{n}"] = quantised(matrix)
        arrays[f"bias_{n}"] = bias.astype(np.float32)
    return arrays
