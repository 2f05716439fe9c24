"""A PyTorch module between an array and its scores: always without gradients."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cvserve.predictor.backends.probe.model import describe_failure
from cvserve.predictor.backends.torch.device import Placement
from cvserve.predictor.backends.torch.outputs import find_scores
from cvserve.predictor.user_code import describe_error


class TorchBackend:
    """Runs a module, or anything that is called like one.

    Args:
        placement: where it computes.
        call: the module, in evaluation mode and in its place.
        use: name or index of the output that holds the scores; None: it can be seen.
    """

    def __init__(self, placement: Placement, call: Callable[[Any], Any], use: str | int | None = None) -> None:
        self._torch = placement.torch
        self._send = placement.send
        self._call = call
        self._use = use

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Scores [N, C], float32, for a batch [N, …].

        Raises:
            ModelError: it gives no scores, or it cannot be told which of the things that it gives they are.
            Exception: whatever the module raises.
        """
        with self._torch.inference_mode():
            given = self._call(self._send(batch))
            scores = find_scores(given, self._torch.Tensor, len(batch), self._use)
            if scores.ndim > 2 and scores.numel() == scores.shape[0] * scores.shape[1]:
                scores = scores.flatten(1)  # [N, C, 1, 1] of a network that ends in a convolution
            values: NDArray[Any] = scores.to(self._torch.float32).cpu().numpy()
            return values


def explain_failure(error: BaseException, batch: NDArray[Any], folder: Path | None) -> str:
    """That a module fails on a prepared picture, in its own words.

    Args:
        error: what it raised.
        batch: that it was given.
        folder: of its code; None: the file is all there is of it.
    """
    if folder is not None:
        return describe_failure(describe_error(error, folder), batch)
    # TorchScript tells the ways that led there first, and what went wrong last.
    *_, last = str(error).strip().splitlines() or [type(error).__name__]
    return describe_failure(last.strip(), batch)
