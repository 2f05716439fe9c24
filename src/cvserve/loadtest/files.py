"""Where the files of a report go, and writing them."""

import contextlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cvserve.errors import CannotStart
from cvserve.loadtest.locust.locustfile_text import locustfile_text
from cvserve.loadtest.plan import Plan
from cvserve.loadtest.report.charts import curve
from cvserve.loadtest.report.document import Report
from cvserve.loadtest.report.page import page
from cvserve.loadtest.session import constants_of


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
    def of(cls, out: Path | None, html: Path | None, csv: Path | None) -> "Files":
        """Make the folders.

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
        """All but what Locust wrote.

        Raises:
            CannotStart: one of them cannot be written.
        """
        constants = {**constants_of(plan, url), "RATE": plan.rate or 0.0}
        texts = {
            self.html: page(report),
            self.folder / "report.json": json.dumps(report, indent=2) + "\n",
            self.folder / "curve.svg": curve(report),
            self.folder / "locustfile.py": locustfile_text(constants),
        }
        for path, text in texts.items():
            try:
                path.write_text(text, encoding="utf-8")
            except OSError as error:
                raise CannotStart(f"'{path}' cannot be written: {error.strerror}; take another --out.") from None

    def discard(self) -> None:
        """Of a test that could not begin: leave no empty folder behind."""
        if self.is_new:
            for path in self.folder.glob(f"{self.csv.name}_*.csv"):
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # somebody else has put something into it
                self.folder.rmdir()
