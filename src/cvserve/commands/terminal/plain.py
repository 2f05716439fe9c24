"""Commands that start fast, because Typer does not convert their parameters.

By default Typer hands each parameter of a command to pydantic, which turns the text into the annotated type. Loading
pydantic takes longer than a whole prediction. It is not needed here: each parameter of these commands is a switch
(`bool`) or a text (`str`, or a list of them), and the command itself turns texts into values, by the same functions
(`cvserve.values`) that read environment variables and settings files.

Use `cls=PlainCommand` (for a group of commands `cls=PlainGroup`) and declare nothing but `bool`, `str | None` and
`list[str] | None`: a parameter of another type would arrive as the text that was typed.
"""

from collections.abc import Callable
from typing import Any

from typer.core import TyperCommand, TyperGroup


class PlainCommand(TyperCommand):
    """A command whose parameters are switches and texts, which it gets unconverted."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, `--help` included, each with its conversion taken out."""
        return _skip_conversions(super().get_params(ctx))


class PlainGroup(TyperGroup):
    """A command with sub-commands; its own parameters are switches and texts, which it gets unconverted."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, `--help` included, each with its conversion taken out."""
        return _skip_conversions(super().get_params(ctx))


def _skip_conversions(parameters: list[Any]) -> list[Any]:
    """Give each parameter a `process_value` of its own, which hides the converting one of its class."""
    for parameter in parameters:
        if "process_value" not in vars(parameter):
            parameter.process_value = _make_process_value(parameter, parameter.process_value)
    return parameters


def _make_process_value(parameter: Any, convert: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """What is left of Typer's work without the conversion: defaults, missing parameters, callbacks."""
    takes_many = parameter.multiple or parameter.nargs == -1

    def process_value(context: Any, value: Any) -> Any:
        if value is None or (takes_many and not value):
            if parameter.required:
                return convert(context, value)  # raises, with Typer's own words for what is missing
            value = () if takes_many else None
        return value if parameter.callback is None else parameter.callback(context, parameter, value)

    return process_value
