"""The files of a report: where they go, and writing them."""

import contextlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cvserve.errors import CannotStart
from cvserve.loadtest.locust.template import render_locustfile
from cvserve.loadtest.plan import Plan
from cvserve.loadtest.report.charts import draw_curve
from cvserve.loadtest.report.document import Report
from cvserve.loadtest.report.page import render_page


@dataclass(frozen=True)
class Files:
    """The files of one report.

    Attributes:
        folder: of `report.json`, `curve.svg` and `locustfile.py`.
        html: the page.
        csv: prefix of Locust's files.
        is_new: the folder was made for this report.
    """

    folder: Path
    html: Path
    csv: Path
    is_new: bool

    @classmethod
    def make(cls, out: Path | None, html: Path | None, csv: Path | None) -> "Files":
        """Choose the places, and make the folders.

        Args:
            out: folder of the report; None: a new one, named after the time.
            html: the page; None: in that folder.
            csv: prefix of Locust's files; None: in that folder.

        Raises:
            CannotStart: one of them cannot be made.
        """
        folder = out or Path(datetime.now(UTC).strftime("loadtest-%Y%m%d-%H%M%S"))
        is_new = not folder.exists()
        files = cls(folder, html or folder / "report.html", csv or folder / "locust", is_new)
        for path in (folder, files.html.parent, files.csv.parent):
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise CannotStart(f"'{path}' cannot hold the report: {error.strerror}; take another --out.") from None
        return files

    def write(self, report: Report, plan: Plan, url: str) -> None:
        """Write page, JSON, curve and locustfile; the CSV files are there already, from Locust.

        Raises:
            CannotStart: one of them cannot be written.
        """
        texts = {
            self.html: render_page(report),
            self.folder / "report.json": json.dumps(report, indent=2) + "\n",
            self.folder / "curve.svg": draw_curve(report),
            self.folder / "locustfile.py": render_locustfile(plan, url, stands_alone=True),
        }
        for path, text in texts.items():
            try:
                path.write_text(text, encoding="utf-8")
            except OSError as error:
                raise CannotStart(f"'{path}' cannot be written: {error.strerror}; take another --out.") from None

    def discard(self) -> None:
        """Remove what a test that could not begin has made, so that no empty folder stays behind."""
        if self.is_new:
            for path in self.folder.glob(f"{self.csv.name}_*.csv"):
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # somebody else has put something into it
                self.folder.rmdir()
