import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def write(home: Path) -> Iterator[Callable[..., Path]]:
    """Write a Python file into a folder that is not the working folder."""

    def write(text: str, name: str = "my_model.py", toml: str | None = None) -> Path:
        path = home / "models" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        if toml is not None:
            path.with_suffix(".toml").write_text(toml)
        return path

    yield write
    for name in [name for name, module in sys.modules.items() if str(home) in str(getattr(module, "__file__", ""))]:
        del sys.modules[name]
