"""What `cvserve history` does: options to a query, its rows to stdout; to look at a folder makes no file in it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from cvserve.commands.history.views import print_prediction, print_predictions
from cvserve.commands.terminal.options import parse_option
from cvserve.commands.terminal.output import Format, choose_format, print_csv, print_json, say
from cvserve.configuration import find_home
from cvserve.errors import NotFound
from cvserve.history.history import History, history_exists
from cvserve.store.columns import CSV_HEAD, HistoryRow
from cvserve.store.sources import SOURCES
from cvserve.values import moment, number, one_of, whole

_MAX_ID = 2**63 - 1
_PARSERS: dict[str, Callable[[str], Any]] = {
    "label": str,
    "model": str,
    "source": one_of(*SOURCES),
    "min_score": number(0, 1),
    "since": moment,
    "until": moment,
}


def list_predictions(
    home: str | None, limit: str, filters: Mapping[str, str | None], *, as_json: bool, as_nl: bool, as_csv: bool
) -> None:
    """Print the newest predictions of a folder.

    Args:
        home: the folder; None: as the settings say.
        limit: how many, as text; "0" for all.
        filters: texts of the options by their names in `History.rows`; None where one was not given.
        as_json: print a JSON list.
        as_nl: print one JSON object a line.
        as_csv: print CSV; without any of the three, a table.

    Raises:
        InvalidSetting: an option that cannot be used, or two forms.
        CannotStart: there is no such folder.
        HistoryError: the history cannot be read.
    """
    form = choose_format(as_json=as_json, as_nl=as_nl, as_csv=as_csv)
    parsed: dict[str, Any] = {name: _parse_filter(name, text) for name, text in filters.items()}
    parsed["limit"] = parse_option("--limit", limit, whole(0, _MAX_ID)) or None
    with ExitStack() as stack:
        _print_rows(_select_rows(stack, find_home(home), parsed), form)


def show_prediction(home: str | None, prediction_id: str, *, as_json: bool) -> None:
    """Print all that is known of one prediction.

    Raises:
        InvalidSetting: the id is no number from 1.
        NotFound: there is no such prediction.
    """
    wanted_id = parse_option("ID", prediction_id, whole(1, _MAX_ID))
    folder = find_home(home)
    if not history_exists(folder):
        raise NotFound(f"There is no prediction {wanted_id}; there is no history in this folder.")
    with History.open(folder) as history:
        row = history[wanted_id]
    if as_json:
        print_json([row.to_full_dict()], Format.JSON)
    else:
        print_prediction(row)


def _parse_filter(name: str, text: str | None) -> Any:
    return None if text is None else parse_option(f"--{name.replace('_', '-')}", text, _PARSERS[name])


def _select_rows(stack: ExitStack, folder: Path, filters: dict[str, Any]) -> Iterator[HistoryRow]:
    """The rows as they are read, page by page."""
    if not history_exists(folder):
        return iter(())
    return stack.enter_context(History.open(folder)).select(newest_first=True, **filters)


def _print_rows(rows: Iterator[HistoryRow], form: Format) -> None:
    if form is Format.CSV:
        print_csv(CSV_HEAD, (row.to_csv() for row in rows))
    elif form is not Format.TABLE:
        print_json((row.to_full_dict() for row in rows), form)
    elif all_rows := list(rows):
        print_predictions(all_rows)
    else:
        say("No predictions here; make one with: cvserve predict IMAGE")
