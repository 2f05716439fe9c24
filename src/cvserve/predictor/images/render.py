"""An array of which nobody knows what its values mean, as a picture for people."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_CHANNELS = (1, 3)


def render_values(array: NDArray[Any]) -> Image.Image:
    """The array as a picture, darkest value black and lightest white.

    Args:
        array: [H, W], [H, W, C] or [C, H, W] with 1 or 3 channels; any other shape is drawn as one line.

    Returns:
        Mode L or RGB.
    """
    values = np.asarray(array, dtype=np.float64)
    values = values[:, :, None] if values.ndim == 2 else values
    if values.ndim == 3 and values.shape[0] in _CHANNELS and values.shape[2] not in _CHANNELS:
        values = values.transpose(1, 2, 0)
    if values.ndim != 3 or values.shape[2] not in _CHANNELS:
        values = values.reshape(1, -1, 1)
    span = float(np.ptp(values)) or 1.0
    pixels = np.rint((values - values.min()) / span * 255).astype(np.uint8)
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
