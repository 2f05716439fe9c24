"""Commands whose parameters are switches and texts as they were typed; the commands read the texts themselves.

Typer hands every parameter to pydantic, which takes longer to load than a prediction takes altogether. A text
needs no conversion, and settings, variables and flags are read by one parser anyway (`values.py`).
"""

from collections.abc import Callable
from typing import Any

from typer.core import TyperCommand, TyperGroup


class PlainCommand(TyperCommand):
    """A command of texts and switches; a parameter of another type must not be declared for it."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, `--help` included, without conversions."""
        return _taken_as_typed(super().get_params(ctx))


class PlainGroup(TyperGroup):
    """The same for a command with sub-commands."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, `--help` included, without conversions."""
        return _taken_as_typed(super().get_params(ctx))


def _taken_as_typed(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if "process_value" not in vars(parameter):
            parameter.process_value = _as_typed(parameter, parameter.process_value)
    return parameters


def _as_typed(parameter: Any, check: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    takes_many = parameter.multiple or parameter.nargs == -1

    def process_value(context: Any, value: Any) -> Any:
        if value is None or (takes_many and not value):
            if parameter.required:
                return check(context, value)  # Typer says best what is missing
            value = () if takes_many else None
        return value if parameter.callback is None else parameter.callback(context, parameter, value)

    return process_value
