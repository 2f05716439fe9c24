"""One input or output of a model: its shape, its type, and what its whole numbers stand for."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Tensor(NamedTuple):
    """One input or output.

    A quantised one holds whole numbers: real = (number - zero_point) * step.
    https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/quantization_spec

    Attributes:
        index: by which the interpreter knows it.
        shape: the batch first, None for each size that is free.
        dtype: NumPy's name of the type.
        step: 0 for one that is not quantised.
        zero_point: the number that stands for 0.
    """

    index: int
    shape: tuple[int | None, ...]
    dtype: str
    step: float = 0.0
    zero_point: int = 0

    @classmethod
    def of(cls, details: dict[str, Any]) -> "Tensor":
        """From the interpreter's own description.

        Raises:
            ValueError: its numbers are of several scales, one a channel.
        """
        steps, zero_points = (details["quantization_parameters"][key] for key in ("scales", "zero_points"))
        if len(steps) > 1:
            raise ValueError(f"'{details['name']}' has {len(steps)} scales")
        sizes = details.get("shape_signature", details["shape"])
        shape = tuple(int(size) if size > 0 else None for size in sizes)
        quantised = (float(steps[0]), int(zero_points[0])) if len(steps) else (0.0, 0)
        return cls(details["index"], shape, np.dtype(details["dtype"]).name, *quantised)

    def to_numbers(self, values: NDArray[Any]) -> NDArray[Any]:
        """What the model takes, from real numbers."""
        if not self.step:
            return values.astype(self.dtype, copy=False)
        limits = np.iinfo(self.dtype)
        return np.clip(np.rint(values / self.step + self.zero_point), limits.min, limits.max).astype(self.dtype)

    def to_values(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """Real numbers, from what the model gives."""
        if not self.step:
            return numbers
        return (numbers.astype(np.float32) - self.zero_point) * np.float32(self.step)

    def pixels(self) -> dict[str, Any]:
        """The fields of `[input]` that make of a pixel 0…255 the number 0…255 (uint8), or -128…127 (int8).

        A model is quantised with pictures, so that its numbers reach from black to white.
        """
        lowest = int(np.iinfo(self.dtype).min)
        black = (lowest - self.zero_point) * self.step
        return {"scale": self.step, "mean": (-black + 0.0,), "std": (1.0,)}
