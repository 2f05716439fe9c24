"""The members of an answer, once: which there are, in which order, and how each is written as JSON.

Whatever interface an answer leaves by (HTTP, the command line, Python, the history), it is made from `MEMBERS`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from math import isfinite
from operator import itemgetter
from typing import Any, Protocol

# In this order. Whoever has an answer keeps each under its name.
MEMBERS = ("id", "result", "label", "score", "top", "model", "created_at", "timing_ms", "warning")
# These two are known when the answer is in the history, all others as soon as the model has answered.
STORED_MEMBERS = ("id", "created_at")
PREDICTED_MEMBERS = tuple(name for name in MEMBERS if name not in STORED_MEMBERS)
_TEMPLATE = "{" + ",".join([f'"{name}":%s' for name in MEMBERS]) + "}"
_get_members = itemgetter(*MEMBERS)

encode_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
# For texts that come again and again: a model has few labels. A warning may be another one each time.
encode_text = lru_cache(maxsize=1024)(encode_json)


class ScoredClass(Protocol):
    """An entry of `top`."""

    @property
    def index(self) -> int:
        """Class index, from 0."""

    @property
    def label(self) -> str:
        """Name of the class."""

    @property
    def score(self) -> float:
        """Probability, 0…1."""


class NamedModel(Protocol):
    """Which model answered."""

    @property
    def name(self) -> str:
        """From `model.toml`, else the file's stem."""

    @property
    def version(self) -> str:
        """The first 12 hex digits of the file's SHA-256."""


def describe_class(entry: ScoredClass) -> dict[str, Any]:
    """The entry of `top` for one class."""
    return {"index": entry.index, "label": entry.label, "score": entry.score}


def describe_model(name: str, version: str) -> dict[str, str]:
    """The member `model`."""
    return {"name": name, "version": version}


def encode_top(top: Sequence[ScoredClass]) -> str:
    """The member `top` as JSON: what `encode_json` makes of `describe_class`, in less than half its time.

    Raises:
        ValueError: a score is NaN or infinite, which JSON cannot say.
    """
    if not isfinite(sum([entry.score for entry in top])):
        raise ValueError("a score that is not a finite number cannot be JSON")
    return "[" + ",".join([f"{_begin_class(entry.index, entry.label)}{entry.score}}}" for entry in top]) + "]"


@lru_cache(maxsize=1024)
def _begin_class(index: int, label: str) -> str:
    return f'{{"index":{index},"label":{encode_json(label)},"score":'


@lru_cache(maxsize=16)
def encode_model(model: NamedModel) -> str:
    """The member `model` as JSON; a server has few models and asks in every request."""
    return encode_json(describe_model(model.name, model.version))


def encode_times(times: Iterable[tuple[str, str]]) -> str:
    """The member `timing_ms` as JSON.

    Args:
        times: names of steps and their milliseconds, as texts already, since a header carries the same texts.
    """
    return "{" + ",".join([f'"{step}":{time_ms}' for step, time_ms in times]) + "}"


def order_members(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members that are there, in the order of `MEMBERS`; what is no member is left out."""
    return {name: members[name] for name in MEMBERS if name in members}


def join_members(texts: Mapping[str, Any]) -> str:
    """An answer as JSON, put together by hand, because an encoder takes twice as long.

    Args:
        texts: the JSON of every member, by name in any order; a number may stand for itself.
    """
    text: str = _TEMPLATE % _get_members(texts)
    return text
