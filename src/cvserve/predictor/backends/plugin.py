"""Models of formats that plugins bring: what a plugin gives is looked at before it is believed."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cvserve.errors import ModelLoadError
from cvserve.predictor.contract import Backend
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.formats.plugins import Plugin, find_plugin
from cvserve.predictor.models.resolve import ModelFacts
from cvserve.predictor.source import ModelSource
from cvserve.texts import escape_unprintable, to_one_line

_MAX_TEXT_CHARACTERS = 300


def load_plugin(file: ModelFile, _source: ModelSource) -> ModelFacts:
    """A model by the plugin whose format it has.

    Raises:
        ModelLoadError: the plugin refuses the file, fails on it, or gives what is no model.
    """
    plugin = find_plugin(file.kind)
    assert plugin is not None, "its format was recognised by this very plugin"
    title = f"'{file.path.name}', loaded by the plugin {plugin.title},"
    with _name_plugin(plugin, title):
        facts = plugin.format.load(file)
    if not isinstance(facts, ModelFacts):
        raise ModelLoadError(
            f"The plugin {plugin.title} gave a {type(facts).__name__} for '{file.path.name}', not ModelFacts; "
            "tell its makers."
        )

    def make_backend(batch: NDArray[Any], wanted: str | None) -> tuple[Backend, str | None]:
        with _name_plugin(plugin, title):
            return facts.connect(batch, wanted)

    return replace(
        facts,
        connect=make_backend,
        format=file.kind.key,
        extra={"plugin": plugin.title, **facts.extra},
        title=title,
        describe_failure=lambda error, batch: (
            f"{_describe(plugin, error)}; it was given {batch.dtype} {list(batch.shape)}, as size, mode and layout of "
            "[input] have it"
        ),
    )


@contextmanager
def _name_plugin(plugin: Plugin, title: str) -> Iterator[None]:
    """What a plugin raises becomes a sentence with its name and its own line; its refusals stay as they are."""
    try:
        yield
    except ModelLoadError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelLoadError(
            f"{title} {_describe(plugin, error)}; the file may be damaged, or the plugin is."
        ) from error


def _describe(plugin: Plugin, error: BaseException) -> str:
    # A plugin is a package that the user has installed: its words say what is wrong. They may quote a stranger's file.
    text = escape_unprintable(to_one_line(str(error), _MAX_TEXT_CHARACTERS))
    return f"failed with {type(error).__name__} in {_place(plugin, error)}{f': {text}' if text else ''}"


def _place(plugin: Plugin, error: BaseException) -> str:
    """The line of the plugin in which it happened, not that of a library it called."""
    frames = traceback.extract_tb(error.__traceback__)
    code = getattr(plugin.format.load, "__code__", None)
    own = [frame for frame in frames if code and Path(frame.filename).is_relative_to(Path(code.co_filename).parent)]
    last = (own or frames)[-1]
    return f"line {last.lineno} of {Path(last.filename).name}"
