"""Measures the promises of docs/promises.md, for one cvserve or for two side by side, and writes their table.

    python benchmarks/promises/run.py --only kills,stops --scale 0.1          # this one, a quick look
    python benchmarks/promises/run.py --before-source ../old/src --write      # an older commit beside it, and the table
    python benchmarks/promises/run.py --before /other/bin/python --write

One script after the other, each first for the older one and then for this one, so that both meet the same machine.
What was measured is kept in benchmarks/results/promises.json: a later run of some scripts keeps the other rows.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).resolve().parent
RESULTS = ROOT / "benchmarks" / "results" / "promises.json"
PAGE = ROOT / "docs" / "promises.md"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
NO_SCRIPTS = {"__init__", "harness", "run", "fairness"}  # the last one is run by shares.py
TIMEOUT_S = 900


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description="Measure the promises of docs/promises.md.")
    parser.add_argument("--python", default=sys.executable, help="the interpreter whose cvserve is measured")
    parser.add_argument("--source", default=str(ROOT / "src"), help="a folder that goes before its packages")
    parser.add_argument("--before", help="another interpreter to measure first; default with --before-source: --python")
    parser.add_argument("--before-source", help="a folder that goes before the packages of that one")
    parser.add_argument("--only", default="", help="names of scripts, separated by commas")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full counts; below 1 proves less")
    parser.add_argument("--write", action="store_true", help="write the table of docs/promises.md")
    options = parser.parse_args()
    sides = {"now": (options.python, options.source)}
    if options.before or options.before_source:
        sides = {"before": (options.before or options.python, options.before_source)} | sides
    kept: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for name in options.only.split(",") if options.only else list_scripts():
        for side, (python, source) in sides.items():
            kept.setdefault(name, {})[side] = found = measure(name, python, source, options.scale)
            print(
                f"{name:16} {side:6} {say(found['holds']):12} {found['took_s']:6} s  {list_figures(found)}", flush=True
            )
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    if options.write:
        write_table(PAGE, kept)


def list_scripts() -> list[str]:
    """Names of all scripts."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in NO_SCRIPTS)


def measure(name: str, python: str, source: str | None, scale: float) -> dict[str, Any]:
    """Run one script and read what it prints; one that fails says so in the place of a result."""
    paths = (ROOT / "benchmarks", ROOT / "tests", ROOT / "src")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    command = [sys.executable, "-m", f"promises.{name}", "--python", python, "--scale", str(scale)]
    command += ["--source", source] if source else []
    try:
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return make_failure(f"not finished after {TIMEOUT_S} s")
    except (IndexError, ValueError):
        return make_failure((ended.stderr.strip().splitlines() or ["it printed nothing"])[-1])
    return found


def make_failure(why: str) -> dict[str, Any]:
    """A result that says that there is none: the promise did not hold, as the script did not come to its end."""
    return {"number": 99, "promise": "", "method": "", "figures": {}, "holds": False, "why": why, "took_s": 0.0}


def write_table(page: Path, kept: dict[str, Any]) -> None:
    """Put the table between the markers of the page."""
    text = page.read_text(encoding="utf-8")
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    page.write_text(f"{text[:begin]}\n{make_table(kept)}{text[end:]}", encoding="utf-8")


def make_table(kept: dict[str, Any]) -> str:
    """One row a promise, in the order of their numbers."""
    lines = ["| # | promise | how it was measured | before | now | holds |", "|--:|---|---|---|---|---|"]
    for name, sides in sorted(kept.items(), key=lambda item: (item[1]["now"]["number"], item[0])):
        now, before = sides["now"], sides.get("before")
        row = [str(now["number"]), now["promise"], f"{now['method']} (`{name}.py`)"]
        row += [show(before) if before else "–", show(now), say(now["holds"])]
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |")
    return "\n".join([*lines, ""])


def show(found: dict[str, Any]) -> str:
    """Figures of one side, and what broke the promise."""
    broken = "" if found["holds"] else f"**{say(found['holds'])}**: "
    return f"{broken}{list_figures(found)}" + (f" ({found['why']})" if found["why"] else "")


def list_figures(found: dict[str, Any]) -> str:
    """All figures on one line."""
    return "; ".join(f"{name} {write(value)}" for name, value in found["figures"].items())


def write(value: object) -> str:
    """A figure as people write it."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {write(entry)}" for name, entry in value.items())
    if isinstance(value, list):
        return ", ".join(map(write, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def say(holds: bool | None) -> str:
    """The verdict in a word."""
    return {True: "yes", False: "no", None: "not measured"}[holds]


if __name__ == "__main__":
    main()
