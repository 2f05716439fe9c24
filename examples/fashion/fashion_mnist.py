"""Fashion-MNIST as Debian packs it: 70,000 grey pictures of 28 by 28 pixels, of ten kinds of clothes."""

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = Path("/usr/share/datasets/fashion-mnist")
# In the order of the indices in the files; as names of folders, so without the slash of "T-shirt/top".
LABELS = ("t-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
SIDE_PX = 28
_PICTURES_HEADER_BYTES = 16
_LABELS_HEADER_BYTES = 8


def load(part: str, folder: Path = FOLDER) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pictures uint8 [N, 28, 28], white clothes on black ground, and class indices uint8 [N].

    Args:
        part: `train` (60,000) or `t10k` (10,000).
        folder: of the four files.

    Raises:
        SystemExit: the files are not there.
    """
    if not folder.is_dir():
        raise SystemExit(f"There is no {folder}; run: apt install dataset-fashion-mnist, or give --data.")
    pictures = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    return (
        np.frombuffer(pictures, np.uint8, offset=_PICTURES_HEADER_BYTES).reshape(-1, SIDE_PX, SIDE_PX),
        np.frombuffer(labels, np.uint8, offset=_LABELS_HEADER_BYTES),
    )
