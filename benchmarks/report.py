"""Markdown of what was measured, for docs/performance.md."""

import datetime
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

import cases
from figures import POST, Figures
from goals import GOALS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- benchmark:begin -->", "<!-- benchmark:end -->"
LOUD = "⚠ **invalid**"
PLACES = ("start", "middle", "end")


def machine() -> dict[str, str]:
    """What it ran on."""
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    return {
        "cpu": cpu,
        "cores": str(os.cpu_count()),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column to the left, the others to the right."""
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join(["---", *["--:"] * (len(head) - 1)]) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def goal_table(figures: Figures) -> str:
    """Goals beside figures."""
    return table(("goal: cvserve beside …", "wanted", "measured", ""), (goal.row(figures) for goal in GOALS))


def case_table(case: cases.Case, figures: Figures) -> str:
    """One case: a row a server."""
    if case.name == "memory":
        return _memory_table(case, figures)
    if case.rows:
        return _growth_table(case, figures)
    head = ["", *(f"c={c} {unit}" for c in case.connections for unit in ("rps", "p50 ms", "p99 ms"))]
    rows = []
    for server in case.servers:
        row = [server.title]
        for c in case.connections:
            row += _cells(case.name, server.key, c, figures)
        rows.append(row)
    return table(head, rows)


def document(figures: Figures, about: dict[str, str], *, repeats: int, seconds: float) -> str:
    """All tables."""
    parts = [
        f"Measured on {about['date']}: {about['cpu']}, {about['cores']} cores, {about['kernel']}, {about['python']}; "
        f"medians of {repeats} or more runs of {seconds:g} s, servers in turn.",
        goal_table(figures),
    ]
    for case in cases.CASES:
        if any(figures.has(case.name, server.key, c) for server in case.servers for c in case.connections):
            where = "server and load on one core each" if case.pinned else "server and load share the machine"
            parts += [f"### {case.title}", f"`--only {case.name}`; {where}.", case_table(case, figures)]
    try:
        bare = f"{figures.bare_us():,.0f} µs a picture for decode at reduced scale, resize and the linear model alone."
    except KeyError:
        bare = ""
    return "\n\n".join(part for part in (*parts, bare) if part)


def write(text: str, page: Path = PAGE) -> None:
    """Put it between the marks of the page.

    Raises:
        ValueError: the page has no marks.
    """
    old = page.read_text(encoding="utf-8")
    if BEGIN not in old or END not in old:
        raise ValueError(f"{page.name} has no {BEGIN} and {END}")
    before, rest = old.split(BEGIN, 1)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END, 1)[1]}", encoding="utf-8")


def _cells(case: str, server: str, connections: int, figures: Figures, what: str = POST) -> list[str]:
    if not figures.has(case, server, connections, what):
        return ["–"] * 3
    if problems := figures.problems(case, server, connections, what):
        return [f"{LOUD}: {problems[0]}", "–", "–"]
    key = (case, server, connections, what)
    return [f"{figures.rate(*key):,.0f}", f"{figures.p50(*key):.2f}", f"{figures.p99(*key):.2f}"]


def _memory_table(case: cases.Case, figures: Figures) -> str:
    rows = []
    for server in case.servers:
        if not figures.has(case.name, server.key, 64):
            continue
        if problems := figures.problems(case.name, server.key, 64):
            rows.append([server.title, f"{LOUD}: {problems[0]}", "–", "–"])
            continue
        mb = [f"{value:,.0f}" for value in (figures.idle_mb(server.key), figures.loaded_mb(server.key))]
        rows.append([server.title, *mb, f"{figures.cold_start_s(server.key):.2f}"])
    return table(("", "idle MB", "after load MB", "cold start s"), rows)


def _growth_table(case: cases.Case, figures: Figures) -> str:
    head = [
        "history",
        *(f"POST c={c} rps" for c in case.connections),
        *(f"POST c={c} p50 ms" for c in case.connections),
    ]
    rows = []
    for server in case.servers:
        posts = [_cells(case.name, server.key, c, figures) for c in case.connections]
        pages = [_cells(case.name, server.key, 1, figures, place)[:2] for place in PLACES]
        gets = [p50 if rate[0].isdigit() else rate for rate, p50 in pages]
        rows.append([server.title, *(post[0] for post in posts), *(post[1] for post in posts), *gets])
    return table([*head, *(f"GET at the {place} p50 ms" for place in PLACES)], rows)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
