"""Whether two backends say the same: asked once about 200 pictures, before one takes the other's place."""

from collections.abc import Iterator
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.predictor.contract import Backend, Preparation, Prepared, scores_of
from cvserve.predictor.images.decode import decode
from cvserve.predictor.images.limits import Limits
from cvserve.predictor.scores import apply_kind

PICTURES = 200
TOLERANCE = 1e-5
_GREYS = 16
_ALONE = 3


def describe_difference(known: Any, other: Backend, preparation: Preparation) -> str:
    """How `other` differs from `known`, for the end of a sentence; empty when it does not.

    Scores must be within 1e-5, and the class the same wherever the first two scores are further apart than that.

    Args:
        known: a backend with `scores`, `probabilities`, `logits` or `sigmoid`.
        other: gives the same kind of scores.
        preparation: makes what both are asked about.
    """
    batch = prepare_pictures(preparation)
    wanted, got = (_probabilities(each, batch, known.scores) for each in (known, other))
    if wanted.shape != got.shape:
        return f"has scores of shape {list(wanted.shape[1:])} and its graph {list(got.shape[1:])}"
    alone = np.concatenate([_probabilities(other, batch[row : row + 1], known.scores) for row in range(_ALONE)])
    apart = max(float(np.abs(wanted - got).max()), float(np.abs(wanted[:_ALONE] - alone).max()))
    if not apart <= TOLERANCE:  # also when one of them is no number
        return f"and its graph give scores that are up to {apart:.1g} apart"
    first, second = np.sort(wanted, axis=1)[:, ::-1][:, :2].T
    clear = first - second > TOLERANCE
    if (wanted.argmax(axis=1) != got.argmax(axis=1))[clear].any():
        return "and its graph give other classes"
    return ""


def prepare_pictures(preparation: Preparation) -> NDArray[Any]:
    """200 pictures as the model gets them: samples, blank ones, noise fine and coarse; always the same."""
    arrays = []
    for _, picture in zip(range(PICTURES), _pictures(preparation), strict=False):
        prepared = preparation.prepare(picture)
        arrays.append(prepared.array if isinstance(prepared, Prepared) else prepared)
    return np.stack(arrays)


def _pictures(preparation: Preparation) -> Iterator[Image.Image]:
    size, want = preparation.size, preparation.want()
    for sample in sorted(resources.files("cvserve").joinpath("samples").iterdir(), key=lambda entry: entry.name):
        picture = decode(sample.read_bytes(), want, Limits())[0].resize(size)
        yield from (picture, picture.rotate(180), picture.point(lambda value: 255 - value))
    for level in np.linspace(0, 255, _GREYS):
        yield Image.new(want.mode, size, (round(level),) * len(want.mode))
    random = np.random.default_rng(0)
    while True:
        # From single pixels to a few large spots, from faint to black and white.
        cells = tuple(max(1, round(side / random.choice([1, 1, 2, 4]))) for side in size)
        contrast, middle = random.uniform(0, 255), random.uniform(0, 255)
        values = random.uniform(-contrast, contrast, (cells[1], cells[0], len(want.mode))) + middle
        pixels = np.clip(values, 0, 255).astype(np.uint8)
        yield Image.fromarray(pixels[:, :, 0] if want.mode == "L" else pixels).resize(size)


def _probabilities(backend: Backend, batch: NDArray[Any], kind: str) -> NDArray[np.float64]:
    values = np.asarray(scores_of(backend.infer(batch)), dtype=np.float64)
    return apply_kind(values, kind)
