"""The page: whole, without the network, and nothing from elsewhere runs in it."""

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import pytest

from cvserve.loadtest.measure.capacity import SearchResult
from cvserve.loadtest.measure.step import Run, Step
from cvserve.loadtest.plan import Plan
from cvserve.loadtest.report.charts import draw_curve
from cvserve.loadtest.report.document import make_report
from cvserve.loadtest.report.page import render_page
from cvserve.loadtest.report.verdict import Place, judge_search
from cvserve.loadtest.samples import cut_windows, merge_ticks
from loadtest.test_samples import tick

EVIL = "<script>alert(1)</script>"
VOID = {"meta", "path", "circle", "rect"}


def step(users: int, good: int, phase: str = "step", **changes: Any) -> Step:
    ticks = [tick(number, good, **changes) for number in range(10)]
    return Step(phase, users, None, merge_ticks(ticks), cut_windows(ticks, 1.0), None, None, 0)


def report(*, is_partial: bool = False, failures: dict[str, int] | None = None, only: str = "") -> dict[str, Any]:
    steps = [step(1, 4), step(2, 8, failures=failures or {}), step(4, 9), step(4, 9, "hold")]
    steps = [entry for entry in steps if not only or entry.phase == only]
    run = Run([("step", entry.whole) for entry in steps], steps)
    plan = Plan(slo_p95_ms=200.0)
    found = SearchResult("flat", steps[-1] if steps else None, knee_users=2)
    verdict = judge_search(found, steps, plan, Place(is_shared=True, cores=2)) if steps else None
    about = {
        "created_at": "2026-11-25T01:02:03.456Z", "target": f"http://x/{EVIL}", "settings": {},
        "model": {"name": EVIL, "version": "0"}, "machine": {"cores": 2, "processor": EVIL},
    }  # fmt: skip
    assert verdict
    return make_report(plan=plan, run=run, found=found, verdict=verdict, about=about, is_partial=is_partial)


class Nesting(HTMLParser):
    """Fails where tags do not fit each other."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        assert tag in VOID

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_is_whole_and_names_everything() -> None:
    text = render_page(report(failures={f"POST /predict: 503 {EVIL}": 3}))
    parser = Nesting()
    parser.feed(text)
    assert parser.open == []
    words = " ".join(parser.texts)
    for word in (
        "capacity",
        "knee",
        "limited by",
        "Over the load",
        "Over time",
        "Distribution",
        "503",
        "Machine",
        "SLO",
    ):
        assert word in words


def test_nothing_from_elsewhere_runs_and_nothing_is_fetched() -> None:
    text = render_page(report(failures={f"POST /predict: {EVIL}": 1}))
    assert "<script" not in text
    assert not re.search(r"(src|href|url|@import)\s*[=(:]", text)
    assert text.count("&lt;script&gt;") >= 4


def test_light_and_dark_wide_and_narrow_are_in_it() -> None:
    text = render_page(report())
    assert "prefers-color-scheme: dark" in text
    assert "max-width: 40rem" in text
    assert len(set(re.findall(r'viewBox="0 0 (\d+)', text))) == 2


def test_the_curve_is_an_svg_of_its_own() -> None:
    root = ET.fromstring(draw_curve(report()))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(root.findall(".//{http://www.w3.org/2000/svg}circle")) >= 9


def test_a_part_is_marked() -> None:
    assert "this is a part of a report" in render_page(report(is_partial=True))
    assert "this is a part of a report" not in render_page(report())


def test_one_load_has_a_curve_over_time() -> None:
    one = report(only="hold")
    assert "Over the load" not in render_page(one)
    assert "seconds" in draw_curve(one)


def test_nothing_measured_shows_dashes_and_no_zero() -> None:
    empty = report()
    empty |= {"measured": None, "steps": [], "timeline": [], "distribution": [], "shares": {}, "capacity_rps": None}
    empty |= dict.fromkeys(("rps", "p50_ms", "p95_ms", "p99_ms"))
    text = render_page(empty)
    assert "<b>–</b><small>p99, ms</small>" in text
    assert ET.fromstring(draw_curve(empty)) is not None


@pytest.mark.parametrize("limit", ["server", "client"])
def test_the_verdict_names_the_limit(limit: str) -> None:
    hold = step(4, 9, "hold", busy=0.97 if limit == "client" else 0.3)
    found = SearchResult("flat", hold, knee_users=2, is_client_bound=hold.is_client_bound)
    verdict = judge_search(found, [hold], Plan(), Place(is_shared=False, cores=2))
    assert verdict.limited_by == limit
    assert ("the server is the limit" in verdict.text) == (limit == "server")
    assert ("at least" in verdict.text) == (limit == "client")
