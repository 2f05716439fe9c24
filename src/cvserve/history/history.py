"""`History`: what was predicted in one folder, to read, to filter and to add to."""

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from cvserve.configuration import find_home
from cvserve.errors import CannotStart, InvalidParameter, NotFound
from cvserve.history.record import to_row
from cvserve.predictor.prediction import Prediction
from cvserve.settings import DATABASE_NAME
from cvserve.store.clock import Clock
from cvserve.store.columns import HistoryRow
from cvserve.store.database import connect, prepare_database
from cvserve.store.predictions import PredictionReader, Query
from cvserve.store.rows import ModelKey, Stored
from cvserve.store.sources import SOURCES
from cvserve.store.sqlite import translate_errors
from cvserve.store.transaction import insert_rows
from cvserve.timestamps import format_timestamp
from cvserve.values import moment

if TYPE_CHECKING:
    from sqlite_utils import Database


class History:
    """What was predicted, by the server, the command line and notebooks in one folder.

        h = History.open()
        row = h.add(prediction, source="notebook")
        h[1], h.rows(label="3", limit=10), len(h)

    Rows are read when they are asked for, so that others may write meanwhile. Use it from one thread at a time.

    Attributes:
        path: the database file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = connect(path)
        self._reader = PredictionReader(path)
        self._model_ids: dict[ModelKey, int] = {}
        self._clock = Clock()

    @classmethod
    def open(cls, path: str | os.PathLike[str] | None = None) -> Self:
        """Open, and make if there is none.

        Args:
            path: the database, or its folder; default: the one of a server that is started here (`CVSERVE_HOME`,
                else the working folder).

        Raises:
            Unsafe: the file is a link or no regular file, or others can read it.
            CannotStart: the folder cannot be written, or the database is of a newer cvserve.
            HistoryError: it is no database of cvserve, or it is damaged.
        """
        place = find_home(has_option=False) if path is None else Path(path)
        file = place / DATABASE_NAME if place.is_dir() or path is None else place
        prepare_database(file)
        return cls(file)

    @property
    def db(self) -> "Database":
        """The database for sqlite-utils: tables, SQL, anything."""
        from sqlite_utils import Database  # slow to load, and only explorers need it

        return Database(self._writer)

    def add(self, prediction: Prediction, *, source: str = "notebook", file_name: str | None = None) -> HistoryRow:
        """Store one prediction and read it back.

        Args:
            prediction: what `Predictor.predict` answered.
            source: through which entry point it came, one of `store.sources.SOURCES`.
            file_name: of the picture; only its cleaned last part is kept.

        Raises:
            InvalidParameter: an unknown source.
            HistoryError: it cannot be stored.
        """
        stored = self.add_many([prediction], source=source, file_names=[file_name])
        return self[stored[0].id]

    def add_many(
        self, predictions: Sequence[Prediction], *, source: str, file_names: Sequence[str | None]
    ) -> list[Stored]:
        """Store several in one transaction, all or none.

        Args:
            predictions: what `Predictor` answered.
            source: through which entry point they came, one of `store.sources.SOURCES`.
            file_names: of their pictures, as many, None for one without.

        Returns:
            Ids and times in the same order; ids ascend.

        Raises:
            InvalidParameter: an unknown source.
            HistoryError: nothing was stored.
        """
        if source not in SOURCES:
            raise InvalidParameter(f"There is no source '{source}'; take one of {', '.join(SOURCES)}.")
        if not predictions:
            return []
        rows = [
            to_row(prediction, source, file_name=name) for prediction, name in zip(predictions, file_names, strict=True)
        ]
        with translate_errors():
            return insert_rows(self._writer, rows, self._model_ids, self._clock)

    def rows(self, *, limit: int | None = None, newest_first: bool = False, **filters: Any) -> list[HistoryRow]:
        """Predictions, oldest first.

        Args:
            limit: rows at most; None for all.
            newest_first: turn the order around.
            **filters: `label`, `model`, `source`, `min_score`; `since`, `until` (a datetime, or a text such as
                `7d` and `2026-11-23`); `after`, `before` (ids).

        Raises:
            InvalidParameter: a filter that cannot be used.
        """
        return list(self.select(limit=limit, newest_first=newest_first, **filters))

    def select(self, *, limit: int | None = None, newest_first: bool = False, **filters: Any) -> Iterator[HistoryRow]:
        """Like `rows`, but read page by page while they are used, so that memory stays small.

        Args:
            limit: rows at most; None for all.
            newest_first: turn the order around.
            **filters: those of `rows`.

        Raises:
            InvalidParameter: a filter that cannot be used.
        """
        if limit is not None and limit < 0:
            raise InvalidParameter(f"limit is {limit}; give 0 or more.")
        times = {name: _parse_time(name, filters[name]) for name in ("since", "until") if filters.get(name)}
        query = Query(limit=limit, descending=newest_first, **{**filters, **times})
        return (row for page in self._reader.read_pages(query) for row in page)

    def __getitem__(self, prediction_id: int) -> HistoryRow:
        row = self._reader.get(prediction_id)
        if row is None:
            raise NotFound(f"There is no prediction {prediction_id} in {self.path.name}.")
        return row

    def __iter__(self) -> Iterator[HistoryRow]:
        return self.select()

    def __len__(self) -> int:
        return self._reader.count(Query())

    def __repr__(self) -> str:
        return f"<History {self.path} {len(self)} predictions>"

    def close(self) -> None:
        """Close its connections; it cannot be used afterwards."""
        self._reader.close()
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _parse_time(name: str, when: datetime | str) -> str:
    """A filter's time as the tables hold it."""
    try:
        return format_timestamp(moment(when) if isinstance(when, str) else when)
    except ValueError as error:
        raise InvalidParameter(f"{name} is '{when}': {error}.") from None


def history_exists(home: Path) -> bool:
    """Whether the folder has a history that can be looked at without making one.

    Raises:
        CannotStart: there is no such folder.
    """
    if not home.is_dir():
        raise CannotStart(f"There is no folder '{home}'.")
    return (home / DATABASE_NAME).exists()
