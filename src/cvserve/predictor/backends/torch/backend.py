"""A PyTorch module between an array and its scores: always without gradients, always on the CPU."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvserve.errors import ModelError, ModelLoadError
from cvserve.predictor import scores as score_rules
from cvserve.predictor.user_code import told
from cvserve.texts import list_some

# What classifiers call their scores in a dictionary, in the order in which they are looked for
_SCORE_NAMES = ("logits", "scores", "probabilities", "probs", "out", "output")
_MAX_SHOWN = 5


class TorchBackend:
    """Runs a module, or anything that is called like one.

    Args:
        torch: the library.
        call: the module, in evaluation mode.
        fixed_batch: how many pictures it takes at a time when that number is built into it; None: any.

    Attributes:
        classes: how many scores it gives for a picture; known once it was tried.
    """

    def __init__(self, torch: Any, call: Callable[[Any], Any], fixed_batch: int | None = None) -> None:
        self._torch = torch
        self._call = call
        self._fixed_batch = fixed_batch
        self.classes: int | None = None

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Scores [N, C], float32."""
        if self._fixed_batch is None:
            return self._scores(batch)
        size = self._fixed_batch
        parts = []
        for start in range(0, len(batch), size):
            part = batch[start : start + size]
            # The last one is filled up, with pictures whose scores are thrown away.
            full = np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)]) if len(part) < size else part
            parts.append(self._scores(full)[: len(part)])
        return np.concatenate(parts)

    def try_with(self, batch: NDArray[Any], kind: str | None) -> None:
        """Run it once and count its classes.

        Args:
            batch: prepared pictures.
            kind: of its scores, if that was said.

        Raises:
            ModelError: it gives no scores, or one number of which nobody said what it is.
            Exception: whatever the module raises.
        """
        self.classes = score_rules.classes_in(score_rules.checked(self.infer(batch), len(batch), None), kind)

    def _scores(self, batch: NDArray[Any]) -> NDArray[Any]:
        with self._torch.inference_mode():
            given = self._call(self._torch.from_numpy(np.require(batch, requirements=["C", "W"])))
            scores = scores_in(given, self._torch.Tensor)
            if scores.ndim > 2 and scores.numel() == scores.shape[0] * scores.shape[1]:
                scores = scores.flatten(1)  # [N, C, 1, 1] of a network that ends in a convolution
            values: NDArray[Any] = scores.to(self._torch.float32).cpu().numpy()
            return values


def scores_in(given: Any, tensor: type) -> Any:
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


def as_load_error(
    title: str, error: Exception, batch: NDArray[Any], config: str, folder: Path | None
) -> ModelLoadError:
    """What to say when a module fails on a prepared picture.

    Args:
        title: of the model, e.g. `'model.pt'`.
        error: what it raised.
        batch: that it was given.
        config: name of the `model.toml` that said so.
        folder: of its code; None: the file is all there is of it.
    """
    if isinstance(error, ModelError):
        return ModelLoadError(f"{title} cannot be served: {error}")
    # TorchScript tells the ways that led there first, and what went wrong last.
    *_, last = str(error).strip().splitlines() or [type(error).__name__]
    reason = last.strip() if folder is None else told(error, folder)
    given = f"{batch.dtype} {list(batch.shape)}"
    return ModelLoadError(f"{title} failed on a picture as [input] of {config} prepares it, {given}: {reason}")
