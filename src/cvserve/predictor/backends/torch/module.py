"""A PyTorch module made by its class, with the weights of a checkpoint."""

from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cvserve.errors import ModelLoadError
from cvserve.predictor.backends.torch.backend import TorchBackend, as_load_error
from cvserve.predictor.backends.torch.library import torch_for
from cvserve.predictor.backends.torch.weights import load_weights
from cvserve.predictor.models.file import ModelFile
from cvserve.predictor.models.resolve import ModelFacts


def module_facts(
    module: Any, name: str, source: ModelFile, weights: ModelFile | None, folder: Path, *, is_trained: bool
) -> ModelFacts:
    """What a module says of itself, its weights loaded.

    Args:
        module: a `torch.nn.Module`.
        name: of its class.
        source: the Python file.
        weights: a checkpoint; None: it has its weights already.
        folder: of its code.
        is_trained: whether it may be served without a checkpoint: an object or a function's result may, what was
            just made of a class has nothing but random numbers.

    Raises:
        ModelLoadError: no weights, or they do not fit.
    """
    torch = torch_for(source.path.name)
    title = f"{name} in {source.path.name}"
    if weights is not None:
        load_weights(torch, module, weights, title)
    elif not is_trained:
        raise ModelLoadError(f"{title} is a PyTorch module with random weights; add its own: --weights best.pth")
    extra = {"class": name, **({} if weights is None else {"weights": str(weights.path)})}
    return ModelFacts(
        format="torch",
        connect=partial(connected, torch, module.eval(), title, f"{source.path.stem}.toml", None, folder=folder),
        labels=None,
        extra=extra,
        name=name.lower(),
    )


def connected(
    torch: Any,
    call: Any,
    title: str,
    config: str,
    fixed_batch: int | None,
    probe: NDArray[Any],
    wanted: str | None,
    *,
    folder: Path | None = None,
) -> tuple[TorchBackend, str | None]:
    """The backend, tried once.

    Args:
        torch: the library.
        call: the module, in evaluation mode.
        title: of the model, for the sentence.
        config: name of the `model.toml` to correct.
        fixed_batch: how many pictures it takes at a time; None: any.
        probe: a batch of one prepared picture.
        wanted: the kind of scores that was asked for.
        folder: of the model's code, if it is code.

    Raises:
        ModelLoadError: it does not take the probe, or gives no scores.
    """
    backend = TorchBackend(torch, call, fixed_batch)
    try:
        backend.try_with(probe, wanted)
    except Exception as error:  # the module's own code, and all that PyTorch raises
        raise as_load_error(title, error, probe, config, folder) from None
    return backend, wanted
