"""Somebody who follows `docs/models.md` with a scikit-learn model."""

import os
import subprocess
import sys
from pathlib import Path

from support.pages import blocks, run

PAGE = "docs/models.md"


class ModelGuide:
    """Has trained the model of the page, written its `model.toml` and the pictures for its check.

    Args:
        folder: where all of it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (config,) = blocks(PAGE, "toml", "scikit-learn")
        (folder / "model.toml").write_text(config, encoding="utf-8")
        for section in ("scikit-learn", "Check a model"):
            (code,) = blocks(PAGE, "python", section)
            subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=folder, check=True, timeout=120)

    def answer(self, line: str) -> str:
        """What a command of the page prints."""
        path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
        return run(line, self.folder, PATH=path, NO_COLOR="1")
