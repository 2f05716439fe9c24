"""Somebody who trains the scikit-learn model of `docs/models.md` and checks it as `docs/checking.md` says."""

import os
import subprocess
import sys
from pathlib import Path

from support.pages import blocks, run

MODELS, CHECKING = "docs/models.md", "docs/checking.md"


class ModelGuide:
    """Has trained the model of the page, written its `model.toml` and the pictures for its check.

    Args:
        folder: where all of it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (config,) = blocks(MODELS, "toml", "scikit-learn")
        (folder / "model.toml").write_text(config, encoding="utf-8")
        for page, section in ((MODELS, "scikit-learn"), (CHECKING, "Check it on labelled pictures")):
            (code,) = blocks(page, "python", section)
            subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=folder, check=True, timeout=120)

    def answer(self, line: str) -> str:
        """What a command of the page prints."""
        path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
        return run(line, self.folder, PATH=path, NO_COLOR="1")
