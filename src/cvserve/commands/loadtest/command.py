"""`cvserve loadtest`: how many requests a second a server holds."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer

from cvserve.commands.loadtest.options import parsed, signature
from cvserve.commands.terminal.options import find_folder
from cvserve.commands.terminal.output import print_document, say
from cvserve.errors import CannotStart, CvserveError, InvalidSetting

if TYPE_CHECKING:
    from cvserve.loadtest.plan import Plan
    from cvserve.loadtest.report.document import Report
    from cvserve.loadtest.session import Ended
    from cvserve.loadtest.target import Target

_HOLD_S = 10.0
_LOAD_S = 30.0
_SIGTERM_CODE = 143
_STOPPED_CODE = 130


def loadtest(url: str | None = None, **typed: Any) -> None:
    """How many requests a second a server holds: load by Locust, a verdict, and a report worth keeping."""
    options = parsed(typed)
    folder = find_folder(options["home"])
    if options["list"]:
        from cvserve.commands.loadtest.views import print_runs

        print_runs(folder, as_json=options["json"])
        return
    plan = _plan(options)
    if options["eject"] is not None:
        _eject(options["eject"], plan, url)
        return
    from cvserve.loadtest.runs import earlier

    before = None if options["compare"] is None else earlier(folder, options["compare"])
    with _ended_by_sigterm():
        ended = _run(url, plan, options, folder)
    raise typer.Exit(_conclude(ended, options, before))


_signature = signature()
loadtest.__signature__ = _signature  # type: ignore[attr-defined]
loadtest.__annotations__ = {name: entry.annotation for name, entry in _signature.parameters.items()}


def _plan(options: dict[str, Any]) -> "Plan":
    from cvserve.loadtest.plan import Plan
    from cvserve.settings import usable_cores

    is_search = options["find_capacity"] or (options["users"] is None and options["rate"] is None)
    processes = options["processes"] or max(1, usable_cores() // 2)
    said = {
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
    return Plan(find_capacity=is_search, **{name: value for name, value in said.items() if value is not None})


def _run(url: str | None, plan: "Plan", options: dict[str, Any], folder: Path) -> "Ended":
    """The test and its files; what a part of it gave, too."""
    from cvserve.commands.loadtest.live import live
    from cvserve.loadtest.files import Files
    from cvserve.loadtest.runs import keep
    from cvserve.loadtest.session import run_loadtest

    with _target(url, options, folder) as (target, settings):
        files = Files.of(options["out"], options["html"], options["csv"])
        try:
            with live(plan, target) as on_window:
                ended = run_loadtest(target, plan, csv=files.csv, on_window=on_window, settings=settings)
        except BaseException:
            files.discard()
            raise
    files.write(ended.report, plan, target.url)
    try:
        kept = f"run {keep(folder, ended.report)} of cvserve loadtest --list"
    except CvserveError as error:  # the report is there all the same
        kept = f"not kept among the runs: {error}"
    say(f"Report: {files.html}  ({kept})")
    return ended


@contextlib.contextmanager
def _target(url: str | None, options: dict[str, Any], folder: Path) -> "Iterator[tuple[Target, dict[str, Any]]]":
    """The server of URL, or one of our own, and its settings as far as they are known."""
    from cvserve.configuration import load_configuration, read_token_file

    own = {name: options[name] for name in ("model", "workers") if options[name] is not None}
    if url is not None:
        from cvserve.loadtest.target import target_of

        if own:
            raise InvalidSetting(f"--{next(iter(own))} is for a server of the test's own; drop it, or drop {url}.")
        token = read_token_file(options["token_file"]) if options["token_file"] else load_configuration().settings.token
        yield target_of(url, token, may_load=options["may_load"]), {}
        return
    if options["token_file"] is not None:
        raise InvalidSetting("--token-file is for a running server; give its URL, too.")
    from cvserve.loadtest.own_server import own_server

    settings = load_configuration(own).settings
    shown = {name: getattr(settings, name) for name in ("workers", "max_batch_size", "max_queue", "durability")}
    say("Starting a server for the test …")
    with own_server({f"--{name}": value for name, value in own.items()}, folder) as target:
        yield target, shown


def _conclude(ended: "Ended", options: dict[str, Any], before: "Report | None") -> int:
    """Print the report and what is wrong with it; the exit code."""
    from cvserve.commands.loadtest.views import print_report
    from cvserve.loadtest.report.gates import Gate, compare, differences, failure_share

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
    broken = gate.broken_by(report)
    if before is not None:
        for difference in differences(before, report):
            say(f"The earlier run differs in its {difference}; take the comparison with care.")
        comparisons = compare(before, report)
        for comparison in comparisons:
            say(comparison.sentence)
        broken += [f"Worse than before: {entry.sentence}" for entry in comparisons if entry.verdict == "worse"]
    for reason in broken:
        say(f"cvserve: {reason}")
    if broken:
        return 1
    failed = failure_share(report) > 0 and options["max_failures"] is None
    code_on_error = 1 if options["exit_code_on_error"] is None else options["exit_code_on_error"]
    return code_on_error if failed else 0


def _eject(path: Path, plan: "Plan", url: str | None) -> None:
    from cvserve.loadtest.locust.locustfile_text import locustfile_text
    from cvserve.loadtest.session import constants_of

    constants = {**constants_of(plan, (url or "http://127.0.0.1:8000").rstrip("/")), "RATE": plan.rate or 0.0}
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(locustfile_text(constants))
    except FileExistsError:
        raise InvalidSetting(f"--eject is '{path}': that file is there already; take another name.") from None
    except OSError as error:
        raise CannotStart(f"--eject is '{path}': {error.strerror}; take another name.") from None
    say(f"Run it with: CVSERVE_TOKEN=… locust -f {path} --headless -u {plan.users or 16} -t 30s")


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """What was started is ended in order also when somebody ends this process."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(_SIGTERM_CODE)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
