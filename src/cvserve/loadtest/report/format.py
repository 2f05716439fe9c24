"""Numbers as people read them in verdicts, tables and pages; a dash where there is none."""

DASH = "–"
# What a phase of a run is called in tables: `half`, `most` and `hold` are 50 %, 80 % and all of the capacity.
PHASES = {"step": "step", "half": "50 %", "most": "80 %", "hold": "100 %: held", "load": "load", "end": "end"}


def format_number(value: float | None) -> str:
    """Write a number with about three significant digits: `1,234`, `56.7`, `8.90`."""
    if value is None:
        return DASH
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def format_whole(value: int | None) -> str:
    """Write a whole number."""
    return DASH if value is None else str(value)


def format_share(value: float | None) -> str:
    """Write a share from 0 to 1 as a percentage without decimals."""
    return DASH if value is None else f"{value:.0%}"


def format_count(count: int, noun: str) -> str:
    """Write a number with its noun: `1 user`, `2 users`."""
    return f"{count} {noun}" + ("" if count == 1 else "s")
