"""Pictures to try a model with: not of one colour, in which a network that mixes its batch could not be told."""

import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.errors import CvserveError
from cvserve.predictor.batch import decode_batch
from cvserve.predictor.contract import Preparation
from cvserve.predictor.images.limits import Limits
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.input_spec import InputSpec

# Augmentation that was left in often does nothing to one picture in two, so it is asked more than twice.
_MOST_REPEATS = 16
_REPEATS_S = 0.2
# Of the noise, in pixels: small enough for many spots, large enough to be left when the picture is made smaller.
_SPOT_PX = 4


def prepare_samples(preparation: Preparation) -> list[NDArray[np.generic]]:
    """Two different pictures as the model gets them, each a batch of one; fewer where it does not take them.

    Args:
        preparation: from a picture to an array. What `[input]` describes is asked once, code of a user's several
            times, since it may have chance in it.

    Raises:
        ModelFault: the same picture becomes different arrays.
    """
    samples = []
    for picture in _make_pictures(preparation.size):
        prepared = _prepare(preparation, picture)
        if prepared is None:
            continue
        if not isinstance(preparation, InputSpec):
            _repeat(preparation, picture, prepared)
        samples.append(prepared[None])
    return samples


def _make_pictures(size: tuple[int, int]) -> Iterator[Image.Image]:
    """A ramp in each colour, and noise; always the same ones."""
    width, height = size
    across, down = np.linspace(0, 255, width)[None, :], np.linspace(0, 255, height)[:, None]
    ramps = np.stack(np.broadcast_arrays(across, down, 255 - (across + down) / 2), axis=2)
    yield Image.fromarray(ramps.astype(np.uint8))
    spots = (max(2, height // _SPOT_PX), max(2, width // _SPOT_PX), 3)
    noise = np.random.default_rng(0).integers(0, 256, spots, dtype=np.uint8)
    yield Image.fromarray(noise).resize(size, Image.Resampling.NEAREST)


def _prepare(preparation: Preparation, picture: Image.Image) -> NDArray[np.generic] | None:
    """The array of a picture; None where the preparation refuses it or fails: it may want a face to be in it."""
    try:
        (outcome,) = decode_batch([picture], preparation.want(), Limits(), preparation.prepare)
    except (Exception, SystemExit):  # code of a user's, which may raise anything
        return None
    return None if isinstance(outcome, CvserveError) else outcome.array


def _repeat(preparation: Preparation, picture: Image.Image, before: NDArray[np.generic]) -> None:
    end = time.monotonic() + _REPEATS_S
    for count in range(_MOST_REPEATS):
        if count and time.monotonic() > end:
            return
        again = _prepare(preparation, picture)
        if again is not None and not _is_same(before, again):
            raise ModelFault(
                "makes two different arrays of the same picture, so its answers depend on chance; take what is random "
                "(augmentation, for training only) out of how it prepares pictures."
            )


def _is_same(one: NDArray[np.generic], other: NDArray[np.generic]) -> bool:
    if one.dtype.kind not in "biuf" or one.shape != other.shape:
        return one.shape == other.shape and bool(np.array_equal(one, other))
    return np.allclose(one, other, rtol=1e-3, atol=1e-4 * max(1.0, float(np.abs(one).max(initial=0))), equal_nan=True)
