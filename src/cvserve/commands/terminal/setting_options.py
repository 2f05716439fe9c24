"""Options of commands that are settings: name, help and default come from the one table in `settings.py`."""

import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

import typer

from cvserve.setting_texts import format_default
from cvserve.settings import FIELDS, flag

_Command = TypeVar("_Command", bound=Callable[..., None])


def take_settings(names: Iterable[str]) -> Callable[[_Command], _Command]:
    """Give a command an option for each of these settings; it takes them as `**flags`.

    What arrives is raw text (a switch: a bool; a list: a list of texts), None or False where nothing was given. The
    command hands it to `load_configuration`, so that flags, variables and files are read by one parser.

    Args:
        names: of the settings, in the order of `--help`.
    """

    def add_options(command: _Command) -> _Command:
        own = [
            parameter
            for parameter in inspect.signature(command).parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        parameters = [
            *(parameter for parameter in own if parameter.default is parameter.empty),
            *(_declare_option(name) for name in names),
            *(
                parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
                for parameter in own
                if parameter.default is not parameter.empty
            ),
        ]
        # Typer reads a command's parameters from these two.
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return command

    return add_options


def _declare_option(name: str) -> inspect.Parameter:
    field = FIELDS[name]
    annotation: Any
    if isinstance(field.default, bool):
        default: Any = False
        annotation = Annotated[bool, typer.Option(flag(name), help=field.metadata["help"])]
    else:
        default = None
        annotation = Annotated[_text_type(field.default), _make_text_option(name)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _text_type(default: Any) -> Any:
    """Lists come as texts with commas, or by an option that is given several times."""
    return list[str] | None if isinstance(default, tuple) else str | None


def _make_text_option(name: str) -> Any:
    shown, metadata = format_default(name), FIELDS[name].metadata
    help_ = metadata["help"] + (f" Default: {shown}" if shown else "")
    metavar = metadata["metavar"] or name.rpartition("_")[2].upper()
    return typer.Option(flag(name), help=help_, metavar=metavar, show_default=False)
