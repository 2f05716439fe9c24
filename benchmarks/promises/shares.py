"""Promise 15: one token that asks for everything leaves the others their share; `fairness.py` does the measuring."""

import json
import subprocess
from pathlib import Path

from promises.harness import Outcome, Promise, Target, main

PROMISE = Promise(
    15,
    "One token that offers 20 times too much leaves another at least 95 % success, and p99 at most twice its own alone "
    "plus one batch.",
    "20 pictures a second of one token beside 200 and 1,500 connections of another, a quick and a slow model",
)


def measure(target: Target) -> Outcome:
    """Run the script under the interpreter that is measured."""
    script = Path(__file__).with_name("fairness.py")
    command = [target.python, str(script), "--seconds", str(target.count(10, 3))]
    command += ["--source", target.source] if target.source else []
    environment = target.environment()
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=True)
    figures: dict[str, object] = {}
    cases = json.loads(ended.stdout)
    for name, found in cases.items():
        beside, bound_ms = found["beside"], found["promise"]["bound_ms"]
        figures[name] = f"{beside['success']:.0%}, p99 {beside['p99_ms']} ms of {bound_ms} ms"
    return Outcome(figures, all(found["promise"]["holds"] for found in cases.values()))


if __name__ == "__main__":
    main(PROMISE, measure)
