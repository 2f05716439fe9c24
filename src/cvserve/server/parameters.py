"""Query parameters to values; one that is unknown, sent twice or out of range is an error that names it."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from cvserve import values
from cvserve.errors import InvalidParameter
from cvserve.server.context import Scope
from cvserve.store.predictions import Query
from cvserve.store.sources import SOURCES
from cvserve.texts import did_you_mean, drop_unprintable
from cvserve.timestamps import format_timestamp

MAX_LIMIT = 10_000
MAX_ID = 2**63 - 1
_MAX_TEXT_CHARACTERS = 1_024
_MAX_QUOTED_CHARACTERS = 60
Parse = Callable[[str], Any]


def _parse_text(value: str) -> str:
    if not 0 < len(value) <= _MAX_TEXT_CHARACTERS or "\0" in value:
        raise ValueError(f"give 1 to {_MAX_TEXT_CHARACTERS} characters")
    return value


def _parse_score(value: str) -> float:
    try:
        score = float(value)
    except ValueError:
        score = -1.0
    if not (0 <= score <= 1 and value.isascii()):
        raise ValueError("give a number from 0 to 1")
    return score


def _parse_moment(value: str) -> str:
    # In a query "+" stands for a blank; nobody writes %2B before a time zone.
    return format_timestamp(values.moment(value.replace(" ", "+")))


_ID = values.whole(0, MAX_ID)
HISTORY_PARAMETERS: dict[str, Parse] = {
    "limit": values.whole(1, MAX_LIMIT),
    "after": _ID,
    "before": _ID,
    "order": values.one_of("asc", "desc"),
    "label": _parse_text,
    "model": _parse_text,
    "source": values.one_of(*SOURCES),
    "min_score": _parse_score,
    "since": _parse_moment,
    "until": _parse_moment,
    "count": values.boolean,
}
PREDICT_PARAMETERS: dict[str, Parse] = {"top_k": values.whole(1, values.MAX_TOP_K)}


def parse_query(scope: Scope, known: dict[str, Parse]) -> dict[str, Any]:
    """Parse the query of a request's URL.

    Args:
        scope: ASGI's description of the request.
        known: the parameters that the endpoint has, each with the function that turns its text into a value.

    Returns:
        The values of those that were sent.

    Raises:
        InvalidParameter: an unknown name, a name twice, or a value that cannot be used.
    """
    raw = scope["query_string"]
    if not raw:
        return {}
    found: dict[str, Any] = {}
    for name, text in _split_query(raw):
        if name not in known:
            hint = did_you_mean(name, known) or f"there are {', '.join(known)}."
            raise InvalidParameter(f"There is no parameter '{drop_unprintable(name, _MAX_QUOTED_CHARACTERS)}'; {hint}")
        if name in found:
            raise InvalidParameter(f"The parameter '{name}' is there twice; send it once.")
        try:
            found[name] = known[name](text)
        except ValueError as error:
            raise InvalidParameter(f"{name} is '{drop_unprintable(text, _MAX_QUOTED_CHARACTERS)}'; {error}.") from None
    return found


def make_history_query(found: dict[str, Any], token_id: int | None) -> Query:
    """Make the store's query from the parameters of `GET /predict`.

    Args:
        found: what `parse_query` returned for `HISTORY_PARAMETERS`.
        token_id: only rows of this token; None for all.
    """
    names = ("limit", "after", "before", "label", "model", "source", "min_score", "since", "until")
    filters = {name: found.get(name) for name in names}
    return Query(descending=found.get("order") == "desc", token_id=token_id, **filters)


def _split_query(raw: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=100, errors="strict")
    except (ValueError, UnicodeError):
        raise InvalidParameter("The query of the URL cannot be read.") from None
