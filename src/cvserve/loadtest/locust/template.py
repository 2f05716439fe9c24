"""The locustfile with the constants of one run: what is used, and what `--eject` writes."""

import json
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from cvserve.loadtest.plan import Plan


def render_locustfile(plan: Plan, url: str, *, stands_alone: bool) -> str:
    """Render the locustfile for a plan.

    Args:
        plan: the load.
        url: of the server.
        stands_alone: for people who run it with plain Locust: the rate of open load stands in it. In a test of ours
            Locust gets the rate while it runs.
    """
    constants = {
        "HOST": url,
        "IMAGES": str(Path(plan.images).resolve()) if plan.images else "",
        "BODY": plan.body,
        "READS": plan.reads,
    }
    return fill_template(constants | ({"RATE": plan.rate or 0.0} if stands_alone else {}))


def fill_template(constants: Mapping[str, Any]) -> str:
    """Set constants at the head of `locustfile.py`; those that are left out keep their value.

    Raises:
        KeyError: the template has no such constant.
    """
    text = (files("cvserve.loadtest.locust") / "locustfile.py").read_text(encoding="utf-8")
    for name, value in constants.items():
        line = f"{name} = {json.dumps(value) if isinstance(value, str) else repr(value)}"
        text, count = re.subn(rf"^{name} = (\"[^\"]*\"|[\d.]+)", lambda _, line=line: line, text, flags=re.MULTILINE)  # type: ignore[misc]
        if count != 1:
            raise KeyError(name)
    return text
