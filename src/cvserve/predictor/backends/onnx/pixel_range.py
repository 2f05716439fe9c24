"""Whether a graph takes pixels of 0…255 or of 0…1, told by what it does with them first.

Many networks scale and shift the pixels themselves: `Rescaling` and `Normalization` of Keras, `x / 255` in somebody's
`forward`. Where that is so, the scale of the pixels need not be guessed.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvserve.predictor.backends.onnx.library import onnx
from cvserve.predictor.backends.onnx.walk import KEEPS_VALUES, find_constants

_ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Div"})
_MAX_STEPS = 40
_PIXEL, _UNIT = 255.0, 1.0
# How wide normalised values spread over the whole range of pixels: 1 (0…1), 2 (−1…1), 4.5 (÷ .225), …
_SMALLEST_SPREAD, _LARGEST_SPREAD = 0.7, 12.0
# Without a shift nothing but the divisor tells, so it must be one that people use for pixels.
_DIVISORS = (255.0, 256.0, 127.5, 128.0, 127.0)
# Networks of Caffe's time subtract the mean colour of all pixels (104, 117, 124), and do not scale.
_CAFFE_MEAN = (80.0, 160.0)


class PixelRange(NamedTuple):
    """Which pixels a graph takes.

    Attributes:
        scale: what makes them of 0…255: 1 for 0…255, 1/255 for 0…1.
        steps: what shows it, for people: "divides by 255".
    """

    scale: float
    steps: str


@dataclass(frozen=True, slots=True)
class _Affine:
    """value = pixel × factor + shift, each one number or one a channel."""

    factor: NDArray[np.float64]
    shift: NDArray[np.float64]


def find_pixel_range(graph: Any) -> PixelRange | None:
    """The pixels that a graph takes, 0…255 or 0…1; None: it cannot be told.

    Args:
        graph: `GraphProto`; its only input is the picture.
    """
    affine = _follow(graph)
    if affine is None:
        return None
    factor, shift = affine.factor, affine.shift
    if (factor == 1).all() and (shift == 0).all():
        return None
    if (shift == 0).all():
        divisor = min(_DIVISORS, key=lambda one: float(np.abs(factor * one - 1).max()))
        return PixelRange(1.0, f"divides by {divisor:g}") if np.allclose(factor * divisor, 1, rtol=0.01) else None
    if (factor == 1).all():
        is_caffe = ((_CAFFE_MEAN[0] < -shift) & (-shift < _CAFFE_MEAN[1])).all()
        is_half = ((shift > -0.7) & (shift < -0.3)).all()
        subtracts = f"subtracts {', '.join(f'{-number:.6g}' for number in shift)}"
        return PixelRange(1.0, subtracts) if is_caffe else PixelRange(1 / 255, subtracts) if is_half else None
    fits = [top for top in (_PIXEL, _UNIT) if _is_normalised(affine, top)]
    return PixelRange(fits[0] / _PIXEL, f"normalises pixels of 0…{fits[0]:g}") if len(fits) == 1 else None


def _is_normalised(affine: _Affine, top: float) -> bool:
    """Whether pixels of 0…top become values about zero, neither all alike nor far apart."""
    ends = affine.shift, affine.factor * top + affine.shift
    low, high = np.minimum(*ends), np.maximum(*ends)
    spread = high - low
    is_about_zero = (low <= 0.05 * spread) & (high >= -0.05 * spread)
    return bool((is_about_zero & (spread > _SMALLEST_SPREAD) & (spread < _LARGEST_SPREAD)).all())


def _follow(graph: Any) -> _Affine | None:
    """What becomes of a pixel in the first operators; None when the graph does several things with it at once."""
    weights = dict(find_constants([graph]))
    takers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in set(node.input):
            takers.setdefault(name, []).append(node)
    inputs = [entry.name for entry in graph.input if entry.name not in weights]
    if len(inputs) != 1:
        return None
    name, affine = inputs[0], _Affine(np.ones(1), np.zeros(1))
    for _ in range(_MAX_STEPS):
        following = takers.get(name, [])
        if len(following) != 1 or len(following[0].output) != 1:
            break
        node = following[0]
        if node.op_type in _ARITHMETIC and len(node.input) == 2:
            step = _apply(node, name, affine, weights)
            if step is None:
                return None
            affine = step
        elif node.op_type not in KEEPS_VALUES or node.input[0] != name:
            break
        name = node.output[0]
    return affine


def _apply(node: Any, name: str, affine: _Affine, weights: dict[str, Any]) -> _Affine | None:
    """One step of arithmetic with a constant; None when it is with something else."""
    first, second = node.input
    other = _number(weights.get(second if first == name else first))
    if other is None or first == second:
        return None
    factor, shift, is_first = affine.factor, affine.shift, first == name
    if node.op_type == "Add":
        return _Affine(factor, shift + other)
    if node.op_type == "Sub":
        return _Affine(factor, shift - other) if is_first else _Affine(-factor, other - shift)
    if node.op_type == "Mul":
        return _Affine(factor * other, shift * other)
    return _Affine(factor / other, shift / other) if is_first and (other != 0).all() else None


def _number(tensor: Any) -> NDArray[np.float64] | None:
    """One number, or one a channel, from a constant of the graph."""
    if tensor is None or np.prod(list(tensor.dims) or [1]) not in (1, 3):
        return None
    values = np.asarray(onnx.numpy_helper.to_array(tensor), dtype=np.float64).ravel()
    return values if np.isfinite(values).all() else None
