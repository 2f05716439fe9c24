"""Somebody who follows the pages: a folder with the files they name, a real server, and a shell."""

import shutil
from pathlib import Path

from support.pages import ROOT, run
from support.pictures import digit_photo
from support.process import ServerProcess

_PRINTED_URL = "http://127.0.0.1:8000"
_START = "pip install . && cvserve serve"


class Guide:
    """Runs the commands of a page, in order.

    Args:
        folder: where the commands run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "src/cvserve/samples", folder / "src/cvserve/samples")
        (folder / "img.jpg").write_bytes(digit_photo("4"))
        (folder / "notes.txt").write_text("bread, milk\n", encoding="utf-8")
        self.server = ServerProcess(folder)

    def answer(self, line: str) -> str:
        """What the command prints, as if the server had the port that the pages name."""
        if line == _START:  # done by the constructor; that it installs is tested with the wheel
            return self._as_printed(self.server.stderr)
        text = run(line.replace(_PRINTED_URL, self.server.url), self.folder, TOKEN=self.server.token or "")
        return self._as_printed(text)

    def _as_printed(self, text: str) -> str:
        """With the port that the pages name, and with nobody's token."""
        return text.replace(self.server.url, _PRINTED_URL).replace(self.server.token or "", "cvs_YourTokenStandsHere")
