"""What `cvserve predict` prints: a table for people, JSON for programs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cvserve.answer import order_members
from cvserve.commands.terminal.columns import Column, Row
from cvserve.commands.terminal.output import Format, draw_bar, print_json, say, say_cause
from cvserve.commands.terminal.table import print_table
from cvserve.errors import CvserveError
from cvserve.predictor.prediction import Prediction
from cvserve.store.rows import Stored


@dataclass(frozen=True, slots=True)
class Line:
    """One picture and what came of it.

    Attributes:
        name: of the picture.
        outcome: the answer, or why there is none.
        stored: id and time of its row in the history; None: it was not stored.
    """

    name: str
    outcome: Prediction | CvserveError
    stored: Stored | None = None

    def to_dict(self) -> dict[str, Any]:
        """`file` first, then `id` when stored; of a failed one `file`, `error`, `code`."""
        if isinstance(self.outcome, CvserveError):
            return {"file": self.name, "error": self.outcome.detail, "code": self.outcome.code}
        added = {} if self.stored is None else self.stored._asdict()
        return {"file": self.name} | order_members(self.outcome.to_dict() | added)


def print_lines(lines: Iterator[Line], form: Format) -> bool:
    """Print all lines, JSON as soon as each is there, then name on stderr what failed.

    Returns:
        Whether one failed.
    """
    failed: list[tuple[str, CvserveError]] = []

    def watch() -> Iterator[Line]:
        for line in lines:
            if isinstance(line.outcome, CvserveError):
                failed.append((line.name, line.outcome))
            yield line

    if form is Format.TABLE:
        _print_table([line for line in watch() if not isinstance(line.outcome, CvserveError)])
    else:
        print_json((line.to_dict() for line in watch()), form)
    for name, error in failed:
        if form is Format.TABLE:
            say(f"cvserve: {name}: {error.detail}")
        say_cause(error, f"{name}: ")
    return bool(failed)


def _print_table(lines: Sequence[Line]) -> None:
    if not lines:
        return
    one = len(lines) == 1
    rows = []
    for line in lines:
        prediction = line.outcome
        assert not isinstance(prediction, CvserveError)
        first = (str(line.stored.id) if line.stored else "–", line.name)
        for rank, entry in enumerate(prediction.top if one else prediction.top[:1]):
            cells = (*(first if rank == 0 else ("", "")), entry.label, f"{entry.score:.1%}", draw_bar(entry.score))
            rows.append(Row(cells, "bold" if rank == 0 and one else "dim" if rank else ""))
        if prediction.warning:
            say(f"cvserve: {line.name}: {prediction.warning}")
    columns = (
        Column("id", right=True),
        Column("file", least=16),
        Column("label"),
        Column("score", right=True),
        Column("", spare=1),
    )
    print_table(columns, rows)
