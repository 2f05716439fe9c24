"""Earlier runs, kept in `cvserve.db` of the folder."""

import json
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from cvserve.errors import InvalidSetting
from cvserve.loadtest.report.document import Report
from cvserve.settings import DATABASE_NAME
from cvserve.store.database import connect, connect_reader, prepare_database
from cvserve.store.loadtests import add_run, list_runs, read_run
from cvserve.store.sqlite import translate_errors

LAST = "last"


class KeptRun(NamedTuple):
    """A run that the folder's database keeps.

    Attributes:
        id: number of the run in this folder.
        report: the whole report, see `report/document.py`.
    """

    id: int
    report: Report


def keep_run(home: Path, report: Report) -> int:
    """Store a report in the folder's database, which is made when it is not there; returns the run's id.

    Raises:
        HistoryError: it cannot be stored.
    """
    path = home / DATABASE_NAME
    prepare_database(path)
    with closing(connect(path)) as connection, translate_errors():
        return add_run(connection, report["created_at"], report, json.dumps(report))


def read_runs(home: Path) -> list[KeptRun]:
    """Read all runs of a folder, oldest first; where there is no database, none is made."""
    path = home / DATABASE_NAME
    if not path.exists():
        return []
    prepare_database(path)
    with closing(connect_reader(path)) as connection, translate_errors():
        return [KeptRun(run_id, json.loads(text)) for run_id, text in list_runs(connection)]


def read_earlier(home: Path, named: str) -> Report:
    """Read the report of an earlier run, to compare with.

    Args:
        home: folder of the database.
        named: `last`, the id of a run of this folder, or the path of a `report.json`.

    Raises:
        InvalidSetting: there is no such run or file.
    """
    if named == LAST or named.isdecimal():
        return _read_run(home, named)
    try:
        report = json.loads(Path(named).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InvalidSetting(f"--compare is '{named}': give a report.json, an id of --list, or last.") from None
    if not isinstance(report, dict) or "measured" not in report or "plan" not in report:
        raise InvalidSetting(f"--compare is '{named}': that is no report of a load test.")
    return report


def _read_run(home: Path, named: str) -> Report:
    path = home / DATABASE_NAME
    text = None
    if path.exists():
        prepare_database(path)
        with closing(connect_reader(path)) as connection, translate_errors():
            text = read_run(connection, None if named == LAST else int(named))
    if text is None:
        raise InvalidSetting(
            f"--compare is '{named}': there is no such run in this folder; see: cvserve loadtest --list"
        )
    report: Report = json.loads(text)
    return report
