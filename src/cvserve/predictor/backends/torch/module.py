"""A PyTorch module as a model: from the file of a program, or made by its class with the weights of a checkpoint."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cvserve.predictor.backends.fixed_batch import FixedBatchBackend
from cvserve.predictor.backends.probe.model import make_model
from cvserve.predictor.backends.torch.backend import TorchBackend, explain_failure
from cvserve.predictor.backends.torch.device import Placement, choose_placement
from cvserve.predictor.backends.torch.library import import_torch
from cvserve.predictor.backends.torch.state import State
from cvserve.predictor.backends.torch.weights import count_classes, put_weights, read_state
from cvserve.predictor.contract import Backend, LoadedModel
from cvserve.predictor.models.config.read import ModelConfig
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.resolve import ModelFacts
from cvserve.predictor.source import ModelSource
from cvserve.texts import list_some

_STATE_KEY = "model.state"
_MAX_SHOWN = 5


@dataclass(frozen=True, slots=True)
class MadeModule:
    """A module, and how it came about.

    Attributes:
        module: a `torch.nn.Module`.
        name: of what made it.
        title: what sentences about it begin with.
        folder: of its code.
        variant: what else names it, for the version; see `ModelFacts`.
        is_class: whether it was just made of a class, so that it has nothing but random numbers.
        make: of what a function gave, another one like it; None: it was no function.
        make_for: the same for another number of classes; None: its maker does not take that number, or was given one.
        complete: adds to the config what the maker knows of the module; None: nothing.
    """

    module: Any
    name: str
    title: str
    folder: Path
    variant: Mapping[str, str]
    is_class: bool = False
    make: Callable[[], Any] | None = None
    make_for: Callable[[int], Any] | None = None
    complete: Callable[[ModelConfig, Any], ModelConfig] | None = None


def load_module(
    made: MadeModule, weights: ModelFile | None, config: ModelConfig, file: ModelFile, source: ModelSource
) -> LoadedModel:
    """A module with its weights, tried.

    Args:
        made: the module.
        weights: a checkpoint; None: it has its weights already.
        config: its `model.toml`.
        file: of its code, for its hash.
        source: says where it computes.

    Raises:
        ModelLoadError: no weights, they do not fit, or the module fails on a picture.
    """
    torch = import_torch()
    placement = choose_placement(torch, source)
    key = config.values.get(_STATE_KEY)
    if weights is None:
        _check_trained(torch, made)
        if key is not None:
            raise ModelFault(
                f"has no file of weights, in which {config.file_name} names '{key}'; add: --weights best.pth"
            )
        module, state = made.module, None
    else:
        module, state = _take_weights(torch, made, weights, config)
    extra = {"class": made.name, **({} if weights is None else {"weights": str(weights.path)})}
    variant = {**made.variant, **({"state": state.key} if state is not None and state.key else {})}
    facts = make_facts(
        placement, placement.place(module).eval(), extra=extra, name=made.name.lower(), folder=made.folder
    )
    if made.complete is not None:
        config = made.complete(config, module)
    model = make_model(replace(facts, title=made.title, variant=variant), config, file)
    if state is None or not (state.others or key):
        return model
    origin = "guessed" if key is None else config.origins[_STATE_KEY]
    return replace(model, origins={**model.origins, _STATE_KEY: (state.key, origin)})


def _take_weights(torch: Any, made: MadeModule, weights: ModelFile, config: ModelConfig) -> tuple[Any, State]:
    """The module with the weights in it, made anew when it was trained for another number of classes."""
    module = made.module
    key = config.values.get(_STATE_KEY)
    state = read_state(torch, module, weights, key, config.file_name)
    classes = count_classes(state.tensors, module.state_dict())
    if classes is not None and made.make_for is not None:
        module = made.make_for(classes)
    put_weights(module, state, weights.path.name)
    if key is None and state.others:
        _tell_others(state, weights.path.name, config.file_name)
    return module, state


def _tell_others(state: State, weights_name: str, config_name: str) -> None:
    """Say which other weights could have been meant, and how to take them."""
    logging.getLogger("cvserve").warning(
        "'%s' holds several weights that fit: %s is served and not %s; to choose, write into %s, under [model]: %s",
        weights_name,
        state.key,
        list_some(state.others, _MAX_SHOWN),
        config_name,
        f'state = "{state.others[0]}"',
    )


def _check_trained(torch: Any, made: MadeModule) -> None:
    """Refuse random weights: those of a class, and of a function that gives others each time that it is called."""
    if made.is_class:
        raise ModelFault("is a PyTorch module with random weights; add its own: --weights best.pth")
    if made.make is not None and not _are_same(torch, made.module.state_dict(), made.make().state_dict()):
        raise ModelFault(
            "gives a PyTorch module with random weights, others at each call; add its own: --weights best.pth"
        )


def _are_same(torch: Any, one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        not isinstance(value, torch.Tensor) or torch.equal(value.nan_to_num(), other[name].nan_to_num())
        for name, value in one.items()
    )


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

    def make_backend(
        _batch: NDArray[Any], wanted: str | None, use: str | int | None = None
    ) -> tuple[Backend, str | None]:
        backend = TorchBackend(placement, call, use)
        return backend if fixed_batch is None else FixedBatchBackend(backend, fixed_batch), wanted

    return ModelFacts(
        format="torch",
        connect=make_backend,
        pick=lambda use: partial(make_backend, use=use),
        input=says or {},
        extra=extra or {},
        name=name,
        describe_failure=partial(explain_failure, folder=folder),
        device=placement.device,
        half=placement.half,
    )
