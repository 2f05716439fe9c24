"""What `cvserve model check` prints: tables for people, JSON for programs."""

import sys
from collections.abc import Sequence
from typing import Any

from cvserve.commands.terminal.columns import Column, Row
from cvserve.commands.terminal.output import draw_bar, print_document
from cvserve.commands.terminal.table import print_table
from cvserve.predictor.evaluation import ClassTally, Evaluation

# A wider table of confusions would not fit on a terminal; above it the most frequent ones are listed.
_MAX_CONFUSION_CLASSES = 12
_MAX_CONFUSIONS = 20


def show_evaluation(evaluation: Evaluation, reasons: Sequence[str], worst: int, *, as_json: bool) -> None:
    """Print accuracy, classes, confusions and the worst mistakes on stdout.

    Args:
        evaluation: of all pictures.
        reasons: why the answer is no.
        worst: how many mistakes to show.
        as_json: one object instead of tables.
    """
    if as_json:
        print_document(_document(evaluation, reasons, worst))
        return
    if evaluation.accuracy is not None:
        sys.stdout.write(
            f"accuracy {evaluation.accuracy:.2%}: {evaluation.right:,} of {evaluation.answered:,} pictures\n"
        )
        _show_classes(evaluation)
        _show_confusion(evaluation)
    _show_worst(evaluation, worst)
    if evaluation.failed:
        _title("no answer")
        rows = [Row((str(path), error.detail)) for path, error in evaluation.failed]
        print_table((Column("file", least=20), Column("why", least=30)), rows)


def _show_classes(evaluation: Evaluation) -> None:
    _title("classes")
    columns = (
        Column("", right=True),
        Column("label", least=8),
        Column("pictures", right=True),
        Column("right", right=True),
        Column("recall", right=True),
        Column("precision", right=True),
        Column("", spare=1),
    )
    rows = [
        Row(
            (
                str(tally.index),
                evaluation.labels[tally.index],
                str(tally.pictures),
                str(tally.right),
                _percent(tally.recall),
                _percent(tally.precision),
                draw_bar(tally.recall or 0),
            )
        )
        for tally in evaluation.classes()
    ]
    print_table(columns, rows)


def _show_confusion(evaluation: Evaluation) -> None:
    if not evaluation.mistakes:
        return
    tallies = evaluation.classes()
    if len(tallies) > _MAX_CONFUSION_CLASSES:
        _show_pairs(evaluation)
        return
    _title("confusion: rows are the truth, columns what the model says")
    columns = [Column("", right=True), Column("", least=8), *(Column(str(t.index), right=True) for t in tallies)]
    print_table(columns, [_confusion_row(evaluation, truth, tallies) for truth in tallies if truth.pictures])


def _confusion_row(evaluation: Evaluation, truth: ClassTally, tallies: Sequence[ClassTally]) -> Row:
    counts = [evaluation.confusion[truth.index, answer.index] for answer in tallies]
    return Row((str(truth.index), evaluation.labels[truth.index], *(str(count) if count else "·" for count in counts)))


def _show_pairs(evaluation: Evaluation) -> None:
    _title("confusions, the most frequent first")
    pairs = [(pair, count) for pair, count in evaluation.confusion.most_common() if pair[0] != pair[1]]
    rows = [
        Row((str(count), evaluation.labels[truth], evaluation.labels[answer]))
        for (truth, answer), count in pairs[:_MAX_CONFUSIONS]
    ]
    print_table((Column("pictures", right=True), Column("truth", least=12), Column("taken for", least=12)), rows)


def _show_worst(evaluation: Evaluation, count: int) -> None:
    mistakes = evaluation.worst(count)
    if not mistakes:
        return
    _title("worst mistakes: wrong, and sure of it")
    rows = [
        Row((f"{entry.score:.1%}", evaluation.labels[entry.predicted], evaluation.labels[entry.truth], str(entry.path)))
        for entry in mistakes
    ]
    columns = (
        Column("score", right=True),
        Column("taken for", least=8),
        Column("truth", least=8),
        Column("file", least=20),
    )
    print_table(columns, rows)


def _document(evaluation: Evaluation, reasons: Sequence[str], worst: int) -> dict[str, Any]:
    labels = evaluation.labels
    return {
        "accuracy": evaluation.accuracy,
        "pictures": evaluation.answered + len(evaluation.failed),
        "answered": evaluation.answered,
        "right": evaluation.right,
        "classes": [
            {
                "index": tally.index,
                "label": labels[tally.index],
                "pictures": tally.pictures,
                "right": tally.right,
                "recall": tally.recall,
                "precision": tally.precision,
            }
            for tally in evaluation.classes()
        ],
        "confusion": [
            {"truth": labels[truth], "predicted": labels[answer], "pictures": count}
            for (truth, answer), count in sorted(evaluation.confusion.items())
        ],
        "worst": [
            {
                "file": str(entry.path),
                "truth": labels[entry.truth],
                "predicted": labels[entry.predicted],
                "score": entry.score,
            }
            for entry in evaluation.worst(worst)
        ],
        "failed": [{"file": str(path), "error": error.detail, "code": error.code} for path, error in evaluation.failed],
        "refusals": list(reasons),
    }


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _title(text: str) -> None:
    sys.stdout.write(f"\n{text}\n")
