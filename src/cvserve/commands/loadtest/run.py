"""What `cvserve loadtest` does: run a test or list earlier ones, write the report, and judge it for the exit code."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from cvserve.commands.loadtest.live import show_live
from cvserve.commands.loadtest.views import print_report, print_runs
from cvserve.commands.terminal.output import print_document, say
from cvserve.configuration import find_home, load_configuration, read_token_file
from cvserve.cores import usable_cores
from cvserve.errors import CannotStart, CvserveError, InvalidSetting
from cvserve.loadtest.files import Files
from cvserve.loadtest.locust.template import render_locustfile
from cvserve.loadtest.own_server import start_own_server
from cvserve.loadtest.plan import Plan
from cvserve.loadtest.report.document import Report
from cvserve.loadtest.report.gates import Gate, compare, compute_failure_share, find_differences
from cvserve.loadtest.runs import keep_run, read_earlier
from cvserve.loadtest.session import Ended, run_loadtest
from cvserve.loadtest.target import Target, make_target
from cvserve.settings import FIELDS

_HOLD_S = 10.0
_LOAD_S = 30.0
_SIGTERM_CODE = 143
_STOPPED_CODE = 130
_DEFAULT_URL = "http://127.0.0.1:8000"
# The test itself says these of its own server.
_OF_OWN_SERVER = frozenset(FIELDS) - {"host", "port", "home", "token", "no_auth"}


def run(url: str | None, options: dict[str, Any]) -> int:
    """Run the command; returns the exit code.

    Args:
        url: of a running server; None: start one for the test.
        options: the value of each option by its name, see `options.py`; None where none was given.

    Raises:
        CvserveError: an option cannot be used, the test cannot begin, or something ended it early.
    """
    folder = find_home(options["home"])
    if options["list"]:
        print_runs(folder, as_json=options["json"])
        return 0
    plan = _make_plan(options)
    if options["eject"] is not None:
        _eject(options["eject"], plan, url or _DEFAULT_URL)
        return 0
    before = None if options["compare"] is None else read_earlier(folder, options["compare"])
    with _exit_on_sigterm():
        ended = _run_test(url, plan, options, folder)
    return conclude(ended, options, before)


def _make_plan(options: dict[str, Any]) -> Plan:
    is_search = options["find_capacity"] or (options["users"] is None and options["rate"] is None)
    processes = options["processes"] or max(1, usable_cores() // 2)
    values = {
        "users": options["users"],
        "rate": options["rate"],
        "spawn_rate": options["spawn_rate"],
        "run_time_s": options["run_time"] or (_HOLD_S if is_search else _LOAD_S),
        "slo_p95_ms": options["slo_p95"],
        "images": options["images"],
        "body": options["body"],
        "reads": options["reads"],
        "stop_timeout_s": options["stop_timeout"],
        "processes": usable_cores() if processes < 0 else processes,
    }
    return Plan(find_capacity=is_search, **{name: value for name, value in values.items() if value is not None})


def _run_test(url: str | None, plan: Plan, options: dict[str, Any], folder: Path) -> Ended:
    """Run the test, write its files and keep its report, also of a test that ended early."""
    with _open_target(url, options, folder) as (target, settings):
        files = Files.make(options["out"], options["html"], options["csv"])
        try:
            with show_live(plan, target) as on_window:
                ended = run_loadtest(target, plan, csv=files.csv, on_window=on_window, settings=settings)
        except BaseException:
            files.discard()
            raise
    files.write(ended.report, plan, target.url)
    try:
        note = f"run {keep_run(folder, ended.report)} of cvserve loadtest --list"
    except CvserveError as error:  # the report is there all the same
        note = f"not kept among the runs: {error}"
    say(f"Report: {files.html}  ({note})")
    return ended


@contextlib.contextmanager
def _open_target(url: str | None, options: dict[str, Any], folder: Path) -> Iterator[tuple[Target, dict[str, Any]]]:
    """The server to load, and what is known of its settings: the one at the URL, or one that runs for the test."""
    own = {name: options[name] for name in ("model", "workers") if options[name] is not None}
    if url is not None:
        if own:
            raise InvalidSetting(f"--{next(iter(own))} is for a server of the test's own; drop it, or drop {url}.")
        yield make_target(url, _find_token(options), may_load=options["may_load"]), {}
        return
    if options["token_file"] is not None:
        raise InvalidSetting("--token-file is for a running server; give its URL, too.")
    settings = load_configuration({"model": None, "workers": None, **own}, uses=_OF_OWN_SERVER).settings
    facts = {name: getattr(settings, name) for name in ("workers", "max_batch_size", "max_queue", "durability")}
    say("Starting a server for the test …")
    with start_own_server({f"--{name}": value for name, value in own.items()}, folder) as target:
        yield target, facts


def _find_token(options: dict[str, Any]) -> str | None:
    """The token for a server that the user has named; where a folder would have it listen does not matter."""
    if options["token_file"]:
        return read_token_file(options["token_file"])
    return load_configuration({"token_file": None}, uses=("token", "token_file")).settings.token


def conclude(ended: Ended, options: dict[str, Any], before: Report | None) -> int:
    """Print the report and what is wrong with it; returns the exit code.

    Args:
        ended: the test.
        options: the limits, and how to print.
        before: an earlier run that this one must not be worse than; None: no comparison.

    Raises:
        CvserveError: what ended the test early.
    """
    report = ended.report
    if options["json"]:
        print_document(report)
    else:
        print_report(report)
    if ended.is_stopped:
        say("Stopped before its end; the report is a part of one.")
        return _STOPPED_CODE
    if ended.error is not None:
        raise ended.error
    gate = Gate(max_p95_ms=options["max_p95"], min_rps=options["min_rps"], max_failures=options["max_failures"])
    reasons = gate.find_breaches(report)
    if before is not None:
        reasons += _compare(before, report)
    for reason in reasons:
        say(f"cvserve: {reason}")
    if reasons:
        return 1
    has_failed = compute_failure_share(report) > 0 and options["max_failures"] is None
    code_on_error: int = 1 if options["exit_code_on_error"] is None else options["exit_code_on_error"]
    return code_on_error if has_failed else 0


def _compare(before: Report, now: Report) -> list[str]:
    """Print how a run compares with an earlier one; returns what is worse, a sentence each."""
    for difference in find_differences(before, now):
        say(f"The earlier run differs in its {difference}; take the comparison with care.")
    comparisons = compare(before, now)
    for comparison in comparisons:
        say(comparison.sentence)
    return [f"Worse than before: {entry.sentence}" for entry in comparisons if entry.verdict == "worse"]


def _eject(path: Path, plan: Plan, url: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(render_locustfile(plan, url.rstrip("/"), stands_alone=True))
    except FileExistsError:
        raise InvalidSetting(f"--eject is '{path}': that file is there already; take another name.") from None
    except OSError as error:
        raise CannotStart(f"--eject is '{path}': {error.strerror}; take another name.") from None
    say(f"Run it with: CVSERVE_TOKEN=… locust -f {path} --headless -u {plan.users or 16} -t 30s")


@contextlib.contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM into an exit, so that the own server and Locust are ended in order."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(_SIGTERM_CODE)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
