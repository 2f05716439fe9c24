"""Formats that other packages bring, found by the entry points `cvserve.backends`; `docs/plugins.md` shows one.

They are looked up only when a file comes that cvserve itself cannot serve, so that nobody else waits for them, and
none of them is ever asked about a format that cvserve serves.
"""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, Protocol

from cvserve.errors import ModelLoadError
from cvserve.predictor.models.formats.kinds import KINDS, Kind

GROUP = "cvserve.backends"


class PluginWarning(UserWarning):
    """A plugin is skipped, or failed to look at a file."""


class Format(Protocol):
    """What an entry point leads to; `cvserve.backends.BackendPlugin` is one, with types."""

    kind: Kind
    recognises: Callable[[bytes], bool]
    load: Callable[..., Any]


class Plugin(NamedTuple):
    """One format of another package.

    Attributes:
        title: name of the entry point and of its package, for people.
        format: what the entry point leads to.
    """

    title: str
    format: Format


@cache
def find_plugins() -> tuple[Plugin, ...]:
    """Find the plugins that are installed and can be used, in the order of their names; only the first call looks.

    Whatever else is registered under the entry points is skipped, with a `PluginWarning` that says why.
    """
    from importlib import metadata  # slow, and hardly anybody has a plugin

    found: dict[str, Plugin] = {}
    for entry in sorted(metadata.entry_points(group=GROUP), key=lambda entry: entry.name):
        package = f" of {entry.dist.name} {entry.dist.version}" if entry.dist else ""
        title = f"'{entry.name}'{package}"
        try:
            format_ = entry.load()
        except (Exception, SystemExit) as error:  # code of others; it may fail in any way
            _skip(title, f"it cannot be imported ({type(error).__name__})")
            continue
        reason = _unusable(format_)
        if reason is None and format_.kind.key in found:
            reason = f"{found[format_.kind.key].title} has the format '{format_.kind.key}' already"
        if reason is None:
            found[format_.kind.key] = Plugin(title, format_)
        else:
            _skip(title, reason)
    return tuple(found.values())


def find_plugin_kind(data: bytes, name: str) -> Kind | None:
    """Ask the plugins which of them knows a file; None when none does.

    Args:
        data: of a file that cvserve does not serve by itself.
        name: of the file, for error texts.

    Raises:
        ModelLoadError: more than one does.
    """
    claims = [plugin for plugin in find_plugins() if _recognises(plugin, data)]
    if len(claims) > 1:
        titles = " and ".join(plugin.title for plugin in claims)
        raise ModelLoadError(f"The plugins {titles} both take '{name}' for theirs; uninstall one of them.")
    return claims[0].format.kind if claims else None


def find_plugin(kind: Kind) -> Plugin | None:
    """Find the plugin that brought a format; None for one of cvserve's own."""
    if kind in KINDS:
        return None
    return next((plugin for plugin in find_plugins() if plugin.format.kind == kind), None)


def _recognises(plugin: Plugin, data: bytes) -> bool:
    try:
        return bool(plugin.format.recognises(data))
    except Exception as error:
        _skip(plugin.title, f"it failed to look at the file ({type(error).__name__})")
        return False


def _unusable(format_: Any) -> str | None:
    kind = getattr(format_, "kind", None)
    if not isinstance(kind, Kind) or not all(callable(getattr(format_, part, None)) for part in ("recognises", "load")):
        return "it is no cvserve.backends.BackendPlugin"
    if kind.key in {own.key for own in KINDS}:
        # It would be loaded by the loader of that format, or past the question for trust.
        return f"the format '{kind.key}' is cvserve's own"
    return None


def _skip(title: str, reason: str) -> None:
    warnings.warn(f"The plugin {title} is skipped: {reason}.", PluginWarning, stacklevel=2)
