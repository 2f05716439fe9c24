"""A PyTorch module as a model: from the file of a program, or made by its class with the weights of a checkpoint."""

from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cvserve.predictor.backends.fixed_batch import FixedBatchBackend
from cvserve.predictor.backends.torch.backend import TorchBackend, explain_failure
from cvserve.predictor.backends.torch.device import Placement, choose_placement
from cvserve.predictor.backends.torch.library import import_torch
from cvserve.predictor.backends.torch.weights import load_weights
from cvserve.predictor.contract import Backend
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.file import ModelFile
from cvserve.predictor.models.resolve import ModelFacts
from cvserve.predictor.source import ModelSource


def module_facts(
    module: Any, name: str, weights: ModelFile | None, folder: Path, source: ModelSource, *, is_trained: bool
) -> ModelFacts:
    """What a module of a user-defined class says of itself, its weights loaded.

    Args:
        module: a `torch.nn.Module`.
        name: of its class.
        weights: a checkpoint; None: it has its weights already.
        folder: of its code.
        source: says where it computes.
        is_trained: whether it may be served without a checkpoint: an object or a function's result may, what was
            just made of a class has nothing but random numbers.

    Raises:
        ModelFault: no weights, they do not fit, or it cannot compute where it should.
    """
    torch = import_torch()
    placement = choose_placement(torch, source)
    if weights is not None:
        load_weights(torch, module, weights)
    elif not is_trained:
        raise ModelFault("is a PyTorch module with random weights; add its own: --weights best.pth")
    extra = {"class": name, **({} if weights is None else {"weights": str(weights.path)})}
    return make_facts(placement, placement.place(module).eval(), extra=extra, name=name.lower(), folder=folder)


def make_facts(
    placement: Placement,
    call: Any,
    *,
    says: dict[str, Any] | None = None,
    fixed_batch: int | None = None,
    extra: dict[str, Any] | None = None,
    name: str | None = None,
    folder: Path | None = None,
) -> ModelFacts:
    """The facts about whatever is called like a module.

    Args:
        placement: where it computes.
        call: the module, in evaluation mode and in its place.
        says: fields of `InputSpec` that it says.
        fixed_batch: how many pictures it takes at a time when that number is built into it; None: any.
        extra: for people.
        name: of the model; None: the file's stem.
        folder: of its code; None: the file is all there is of it.
    """

    def make_backend(_batch: NDArray[Any], wanted: str | None) -> tuple[Backend, str | None]:
        backend = TorchBackend(placement, call)
        return backend if fixed_batch is None else FixedBatchBackend(backend, fixed_batch), wanted

    return ModelFacts(
        format="torch",
        connect=make_backend,
        input=says or {},
        extra=extra or {},
        name=name,
        describe_failure=partial(explain_failure, folder=folder),
        device=placement.device,
        half=placement.half,
    )
