"""The locustfile with the constants of one run: what is used, and what `--eject` writes."""

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any


def locustfile_text(constants: Mapping[str, Any]) -> str:
    """The file's text.

    Args:
        constants: `HOST`, `IMAGES`, `BODY`, `READS`, `RATE`; those that are left out keep the value of the template.
    """
    text = (files("cvserve.loadtest.locust") / "locustfile.py").read_text(encoding="utf-8")
    for name, value in constants.items():
        line = f"{name} = {_literal(value)}"
        text, replaced = re.subn(rf"^{name} = (\"[^\"]*\"|[\d.]+)", lambda _, line=line: line, text, flags=re.MULTILINE)  # type: ignore[misc]
        if replaced != 1:
            raise KeyError(name)
    return text


def _literal(value: Any) -> str:
    """As Python writes it, with the quotes of the house."""
    import json

    return json.dumps(value) if isinstance(value, str) else repr(value)
