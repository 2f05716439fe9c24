"""Whether a class can be made with the arguments that `[model] args` gives it."""

import inspect
from collections.abc import Callable
from typing import Any

from cvserve.predictor.models.config.read import ModelConfig
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.resolve import SIZE_AND_MODE

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def check_arguments(maker: Callable[..., Any], config: ModelConfig) -> None:
    """Compare arguments with a signature, before anything is called.

    Args:
        maker: a class, or a function that makes the model.
        config: the `model.toml` that gives the arguments.

    Raises:
        ModelFault: one is missing, unknown, or can only be given by its place.
    """
    try:
        parameters = inspect.signature(maker).parameters
    except (TypeError, ValueError):  # some of C and some decorated ones do not say
        return
    arguments = config.values.get("model.args", {})
    needed = {name: one for name, one in parameters.items() if one.default is one.empty}
    if any(one.kind is one.POSITIONAL_ONLY for one in needed.values()):
        raise ModelFault("takes arguments without names; give them names, or defaults.")
    named = [name for name, one in parameters.items() if one.kind in _NAMED]
    takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    for name in arguments:
        if name not in named and not takes_any:
            raise ModelFault(
                f"has no argument '{name}', which [model] args in {config.file_name} gives; "
                f"it takes {', '.join(named) or 'none'}."
            )
    missing = [name for name in named if name in needed and name not in arguments]
    if missing:
        example = ", ".join(f"{name} = …" for name in missing)
        raise ModelFault(
            f"needs {', '.join(missing)}; write into {config.file_name}: [model.args] {example}"
            f"{_ask_for_size(maker, config)}."
        )


def _ask_for_size(maker: Callable[..., Any], config: ModelConfig) -> str:
    """What would be asked for next, so that it is asked for at once."""
    if "input.size" in config.values or hasattr(maker, "preprocess"):
        return ""
    unless = ", unless it has a preprocess" if inspect.isroutine(maker) else ""
    return f" and {SIZE_AND_MODE}{unless}"


def takes(maker: Callable[..., Any], argument: str) -> bool:
    """Whether something may be called with an argument of that name, as far as its signature says."""
    try:
        parameters = inspect.signature(maker).parameters
    except (TypeError, ValueError):
        return False
    is_named = argument in parameters and parameters[argument].kind in _NAMED
    return is_named or any(one.kind is one.VAR_KEYWORD for one in parameters.values())
