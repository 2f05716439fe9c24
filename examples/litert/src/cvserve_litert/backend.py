"""A model, run by LiteRT on one thread, picture by picture."""

import os
from threading import Lock
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from cvserve_litert.tensor import Tensor


class LiteRTBackend:
    """An interpreter with its input and its output.

    Args:
        data: bytes of a `.tflite` file.

    Attributes:
        taken: its input.
        given: its output.

    Raises:
        ValueError: LiteRT cannot read it, or it has not one input and one output.
    """

    def __init__(self, data: bytes) -> None:
        said = os.environ.get("OMP_NUM_THREADS", "")
        threads = int(said) if said.isdecimal() and int(said) > 0 else 1
        self._interpreter = Interpreter(model_content=data, num_threads=threads)
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ValueError(f"it has {len(inputs)} inputs and {len(outputs)} outputs")
        self.taken, self.given = Tensor.of(inputs[0]), Tensor.of(outputs[0])
        self._shape: tuple[int, ...] = ()
        # It computes in memory of its own, also where several threads ask (cvserve serve --workers 0).
        self._lock = Lock()

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Scores [N, C] for pictures [N, height, width, channels] or rows [N, values]."""
        numbers = self.taken.to_numbers(batch)
        with self._lock:
            return np.stack([self._run(one) for one in numbers])

    def _run(self, one: NDArray[Any]) -> NDArray[Any]:
        picture = one[None]
        if picture.shape != self._shape:
            self._interpreter.resize_tensor_input(self.taken.index, picture.shape)
            self._interpreter.allocate_tensors()
            self._shape = picture.shape
        self._interpreter.set_tensor(self.taken.index, picture)
        self._interpreter.invoke()
        return self.given.to_values(self._interpreter.get_tensor(self.given.index)).reshape(-1)
