"""A PyTorch module between an array and its scores: always without gradients."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cvserve.errors import ModelError
from cvserve.predictor.backends.probe import describe_failure
from cvserve.predictor.backends.torch.device import Placement
from cvserve.predictor.user_code import describe_error
from cvserve.texts import list_some

# What classifiers call their scores in a dictionary, in the order in which they are looked for
_SCORE_NAMES = ("logits", "scores", "probabilities", "probs", "out", "output")
_MAX_SHOWN = 5


class TorchBackend:
    """Runs a module, or anything that is called like one.

    Args:
        placement: where it computes.
        call: the module, in evaluation mode and in its place.
    """

    def __init__(self, placement: Placement, call: Callable[[Any], Any]) -> None:
        self._torch = placement.torch
        self._send = placement.send
        self._call = call

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Scores [N, C], float32, for a batch [N, …].

        Raises:
            ModelError: it cannot be told which of the things that it gives are the scores.
            Exception: whatever the module raises.
        """
        with self._torch.inference_mode():
            given = self._call(self._send(batch))
            scores = find_scores(given, self._torch.Tensor)
            if scores.ndim > 2 and scores.numel() == scores.shape[0] * scores.shape[1]:
                scores = scores.flatten(1)  # [N, C, 1, 1] of a network that ends in a convolution
            values: NDArray[Any] = scores.to(self._torch.float32).cpu().numpy()
            return values


def find_scores(given: Any, tensor: type) -> Any:
    """The tensor of scores in what a module gives: itself, the first of several, or the one with a known name.

    Raises:
        ModelError: it cannot be told which it is.
    """
    if isinstance(given, tensor):
        return given
    if isinstance(given, Mapping):
        tensors = {str(name): value for name, value in given.items() if isinstance(value, tensor)}
        for name in _SCORE_NAMES:
            if name in tensors:
                return tensors[name]
        if len(tensors) == 1:
            return next(iter(tensors.values()))
        names = list_some(tensors, _MAX_SHOWN) or "no tensors"
        raise ModelError(f"It gives {names} by name; call the scores 'logits', or give them alone.")
    if isinstance(getattr(given, "logits", None), tensor):
        return given.logits
    if isinstance(given, Sequence) and given and isinstance(given[0], tensor):
        return given[0]
    raise ModelError(f"It gives a {type(given).__name__}; a classifier gives a tensor of scores [N, classes].")


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
