"""Which of the things in a checkpoint are the weights of a module, under the names that the module gives them."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from cvserve.predictor.models.fault import ModelFault
from cvserve.texts import list_some

# What scripts of training call the weights that they train, beside copies and averages of them
_PLAIN = ("state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "params", "weights")
# What a wrapper writes before each name: DataParallel and averages (`module`), torch.compile, FSDP, Lightning
_WRAPPERS = frozenset(("module", "_orig_mod", "_fsdp_wrapped_module", "model"))
# What a wrapper of a part writes into the middle of a name
_INNER_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
# Beginnings of names of what is kept beside a module while it is trained, and answers nothing
_OF_TRAINING = ("criterion", "loss", "metric", "train_", "val_", "valid_", "test_", "ema.", "model_ema.", "n_averaged")
# How many batches a normalisation has seen is counted since PyTorch 0.4.1, and of no use here.
COUNTER = "num_batches_tracked"
_MAX_SHOWN, _MAX_DIFFERENCES = 5, 3


class State(NamedTuple):
    """Weights that were found in a checkpoint.

    Attributes:
        key: where they were, e.g. `state_dict`, or `state_dict.student` for those whose names begin so; "": they are
            all that there is.
        tensors: by the names of the module, as far as they fit.
        others: where other weights are that would fit as well.
    """

    key: str
    tensors: Mapping[str, Any]
    others: tuple[str, ...] = ()


def find_state(torch: Any, loaded: Any, wanted: Mapping[str, Any], key: str | None, file_name: str) -> State:
    """The weights for a module in what a checkpoint holds.

    Of several that fit, those with a usual name (`state_dict`, `model`) are taken before averages of them
    (`state_dict_ema`, `model_ema`); the result names the others.

    Args:
        torch: the library.
        loaded: what the checkpoint holds.
        wanted: the state dict of the module.
        key: where `[model] state` says that they are; None: it does not say.
        file_name: of the checkpoint, for sentences.

    Raises:
        ModelFault: there are none, or several of which none has a usual name.
    """
    states = _list_states(torch, loaded)
    if not states:
        raise _no_state(loaded, file_name)
    fitting = {key: inner for place, state in states.items() for key, inner in _fit(place, state, wanted).items()}
    if key is not None:
        return _find_named(key, states, fitting)
    if not fitting:
        # They are compared with the module by name, and the differences tell more than that nothing fits.
        name = next((name for name in (*_PLAIN, "") if name in states), None)
        if name is None and len(states) > 1:
            raise _ask(states, "none of which fits")
        name = next(iter(states)) if name is None else name
        return State(name, _remove_wrappers(states[name], wanted))
    usual = next((name for name in ("", *_PLAIN) if name in fitting), None)
    if usual is None and len(fitting) > 1:
        raise _ask(fitting, "which would all fit")
    name = next(iter(fitting)) if usual is None else usual
    return State(name, fitting[name], tuple(other for other in fitting if other != name))


def _list_states(torch: Any, loaded: Any) -> dict[str, Mapping[str, Any]]:
    """Every state dict by its place: what was saved itself, as "", or members of it."""
    if _is_state(torch, loaded):
        return {"": _remove_inner_wrappers(loaded)}
    if not isinstance(loaded, Mapping):
        return {}
    return {str(place): _remove_inner_wrappers(value) for place, value in loaded.items() if _is_state(torch, value)}


def _is_state(torch: Any, value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(name, str) and isinstance(entry, torch.Tensor) for name, entry in value.items())
    )


def _remove_inner_wrappers(state: Mapping[str, Any]) -> Mapping[str, Any]:
    for wrapper in _INNER_WRAPPERS:
        if any(f".{wrapper}" in name or name.startswith(wrapper) for name in state):
            state = {name.replace(wrapper, ""): tensor for name, tensor in state.items()}
    return state


def _fit(place: str, state: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """By their places, the weights in a state dict that have all names of a module, and no others."""
    starts = {start: inner for start in _list_starts(state, wanted) if (inner := _take_whole(state, start, wanted))}
    found: dict[str, Mapping[str, Any]] = {}
    idle = (*filter(None, starts), *_OF_TRAINING)
    for start, inner in starts.items():
        if not all(name.startswith((start, *idle)) for name in state):
            continue  # layers beside it are part of the answer, which would be another one without them
        words = [word for word in start.split(".") if word]
        told = [word for word in words if word not in _WRAPPERS]
        key = ".".join([place, *told] if place else told)
        found[key if key not in found else ".".join([place, *words]).lstrip(".")] = inner
    return found


def _list_starts(state: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """What may stand before all names, such as "", "module." or "backbone."."""
    first = next((name for name in wanted if not name.endswith(COUNTER)), None)
    if first is None:
        return []
    starts = (name.removesuffix(first) for name in state if name.endswith(first))
    return [start for start in starts if not start or start.endswith(".")]


def _take_whole(state: Mapping[str, Any], start: str, wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The weights whose names begin so, if they are those of the module; None when they are not."""
    inner = {name.removeprefix(start): tensor for name, tensor in state.items() if name.startswith(start)}
    if not start:
        inner = {name: tensor for name, tensor in inner.items() if name in wanted or not name.startswith(_OF_TRAINING)}
    has_all = all(name in inner for name in wanted if not name.endswith(COUNTER))
    return inner if has_all and all(name in wanted for name in inner) else None


def _find_named(key: str, states: Mapping[str, Any], fitting: Mapping[str, Any]) -> State:
    """What `[model] state` names: a member of the checkpoint, or the beginning of names in it."""
    if key in fitting:
        return State(key, fitting[key])
    if key in states:
        return State(key, states[key])
    for state in states.values():
        inner = {name.removeprefix(f"{key}."): tensor for name, tensor in state.items() if name.startswith(f"{key}.")}
        if inner:
            return State(key, inner)
    known = list_some((name for name in (fitting or states) if name), _MAX_SHOWN)
    if not known:
        raise ModelFault(
            f"has no weights '{key}', which [model] state names: it is nothing but weights; "
            "remove state from its model.toml."
        )
    raise ModelFault(f"has no weights '{key}', which [model] state in its model.toml names; it has {known}.")


def _remove_wrappers(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without the name of a wrapper, where all weights have it and the names fit only without."""
    inner = found
    while not inner.keys() & wanted.keys():
        first = {name.partition(".")[0] for name in inner}
        if len(first) != 1 or not first <= _WRAPPERS:
            return found
        inner = {name.partition(".")[2]: tensor for name, tensor in inner.items()}
    return inner


def _no_state(loaded: Any, file_name: str) -> ModelFault:
    if not isinstance(loaded, Mapping):
        return ModelFault(
            f"holds a {type(loaded).__name__}, no state dict; save torch.save(model.state_dict(), {file_name!r})."
        )
    return ModelFault(
        f"holds no state dict ({list_some(map(str, loaded), _MAX_SHOWN)}); save the one to serve: "
        f"torch.save(model.state_dict(), {file_name!r})."
    )


def _ask(states: Mapping[str, Any], what: str) -> ModelFault:
    names = list(states)
    return ModelFault(
        f"holds {len(names)} state dicts ({list_some(names, _MAX_SHOWN)}), {what}; say which to serve in its "
        f'model.toml, under [model]: state = "{names[0]}"'
    )


def describe_differences(missing: Iterable[str], unexpected: Iterable[str], other: Iterable[str]) -> str:
    """How the weights in a file and those of a module differ; empty when they do not.

    Args:
        missing: names that are not in the file.
        unexpected: names that the module does not have.
        other: names of those of another size, or sentences about them.
    """
    parts = (("missing", missing), ("not known to the class", unexpected), ("of another size", other))
    listed = ((what, list(names)) for what, names in parts)
    return "; ".join(f"{what}: {list_some(names, _MAX_DIFFERENCES)}" for what, names in listed if names)
