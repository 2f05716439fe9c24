"""What `cvserve model compare` prints: a table and a verdict for people, JSON for programs."""

import sys
from collections.abc import Mapping
from typing import Any

from cvserve.commands.terminal.columns import Column, Row
from cvserve.commands.terminal.output import print_document
from cvserve.commands.terminal.table import print_table
from cvserve.comparison.causes import Cause, Finding
from cvserve.comparison.comparison import Compared, Comparison, describe
from cvserve.predictor.models.config.presets import PRESETS

_MAX_LABEL_CHARACTERS = 24
# How the scores of the reference were read, by kind.
_READ_AS = {
    "probabilities": "taken as they are",
    "logits": "read as logits, with the soft-max of them",
    "sigmoid": "read as logits of independent labels, with the sigmoid of each",
}


def show_comparison(comparison: Comparison, finding: Finding, most: int, *, as_json: bool) -> None:
    """Print both answers for each picture, the verdict, and what makes the difference, on stdout.

    Args:
        comparison: of all pictures.
        finding: what came of looking for the cause.
        most: how many pictures to show, those that differ most first.
        as_json: one object instead, with all pictures.
    """
    if as_json:
        print_document({**describe(comparison), **_to_document(finding)})
        return
    shown = sorted(comparison.pictures, key=lambda entry: -entry.difference)[:most]
    if shown:
        columns = (
            Column("difference", right=True),
            Column("reference", least=12),
            Column("", right=True),
            Column("cvserve", least=12),
            Column("", right=True),
            Column("file", least=16),
        )
        print_table(columns, [_to_row(entry, comparison) for entry in shown])
        left = len(comparison.pictures) - len(shown)
        if left:
            sys.stdout.write(f"and {left:,} more, which differ less; --most {len(comparison.pictures)} shows all\n")
        sys.stdout.write("\n")
    sys.stdout.write(f"{describe_verdict(comparison)}\n")
    if comparison.apart:
        sys.stdout.write(_describe_finding(finding))


def describe_verdict(comparison: Comparison) -> str:
    """One line: whether it is the same, of how many pictures, how far the scores are apart, and how they were read."""
    count, apart = len(comparison.pictures), comparison.apart
    if not count:
        return "nothing compared: no picture got an answer"
    pictures = f"{count:,} picture{'s' if count > 1 else ''}"
    largest = f"{comparison.difference:.6f}"
    reading = f"the values of the reference were {_READ_AS[comparison.kind]}"
    if not apart:
        return (
            f"same: {pictures}, the same class, all scores within {largest} (tolerance {comparison.tolerance:g}); "
            f"{reading}"
        )
    classes = sum(not entry.is_same_class for entry in apart)
    return (
        f"different: {len(apart):,} of {pictures}, scores up to {largest} apart (tolerance {comparison.tolerance:g}), "
        f"another class for {classes:,}; {reading}"
    )


def format_change(cause: Cause) -> str:
    """The lines of the `model.toml` that a cause asks for."""
    lines = [
        f"# without {key}" if value is None else f"{key} = {_to_toml(value)}" for key, value in cause.change.items()
    ]
    names = [name for name, preset in PRESETS.items() if _is_of(cause.change, preset)]
    return "\n".join([f"[{cause.section}]", *lines, *(f'# as preset = "{name}" says' for name in names[:1])])


def _describe_finding(finding: Finding) -> str:
    cause, stopped_s = finding
    stopped = "" if stopped_s is None else f"stopped after {stopped_s:g} s; not all was tried\n"
    advice = "compare the steps of the reference with what `cvserve model try` shows\n"
    if cause is None:
        if stopped:
            return f"no cause found: {stopped}{advice}"
        return f"no cause found: no other colours, crop, filter or kind of scores make them the same; {advice}"
    if cause.words:
        return f"likely cause: {cause.words}\n"
    return (
        f"likely cause: with these values in model.toml the largest difference is {cause.difference:.6f}:\n\n"
        f"{format_change(cause)}\n{stopped}"
    )


def _to_row(entry: Compared, comparison: Comparison) -> Row:
    cells = [f"{entry.difference:.6f}"]
    for scores in (entry.reference, entry.own):
        index = int(scores.argmax())
        cells += [comparison.labels[index][:_MAX_LABEL_CHARACTERS], f"{scores[index]:.6f}"]
    return Row((*cells, str(entry.path)))


def _to_document(finding: Finding) -> dict[str, Any]:
    cause = finding.cause
    described = cause and {
        "words": cause.words or None,
        "section": cause.section or None,
        "change": dict(cause.change),
        "difference": cause.difference,
    }
    return {"cause": described, "stopped_after_s": finding.stopped_after_s}


def _is_of(change: Mapping[str, Any], preset: Mapping[str, Any]) -> bool:
    """Whether the colours of a change are those of a preset."""
    return {"mean", "std"} <= set(change) and all(change[key] == preset[key] for key in ("mean", "std"))


def _to_toml(value: Any) -> str:
    if isinstance(value, tuple):
        return str(value[0]) if len(value) == 1 else f"[{', '.join(map(str, value))}]"
    if isinstance(value, str):
        return f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else str(value)
