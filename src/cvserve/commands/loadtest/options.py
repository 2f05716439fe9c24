"""The one table of options of `cvserve loadtest`; their names are Locust's where Locust has them."""

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

import typer

from cvserve import values
from cvserve.commands.terminal.options import parse_option

_MAX_USERS = 100_000
_MAX_RATE = 1_000_000


class Option(NamedTuple):
    """One option of the command line.

    Attributes:
        flags: its names, e.g. `-u` and `--users`.
        metavar: what `--help` calls its value; empty: it is a switch.
        help: one sentence.
        parse: from text to the value.
    """

    flags: tuple[str, ...]
    metavar: str
    help: str
    parse: Callable[[str], Any] = str


def _processes(text: str) -> int:
    count = values.whole(-1, 256)(text)
    if count == 0:
        raise ValueError("give a number of processes, or -1 for one a core")
    return count


def _positive(text: str) -> float:
    rate = values.number(0, _MAX_RATE)(text)
    if not rate:
        raise ValueError("give more than 0")
    return rate


OPTIONS = {
    "users": Option(
        ("-u", "--users"), "N", "Users at the same time; in a search, at most.", values.whole(1, _MAX_USERS)
    ),
    "spawn_rate": Option(("-r", "--spawn-rate"), "N", "Users that start a second. Default: all at once.", _positive),
    "run_time": Option(
        ("-t", "--run-time"),
        "TIME",
        "How long to load: 30s, 20m, 1h30m. Default: 30s; in a search, 10s at the end.",
        values.duration,
    ),
    "rate": Option(("--rate",), "N", "Requests due a second, whatever the server does: open load.", _positive),
    "find_capacity": Option(
        ("--find-capacity",), "", "Search for the capacity; the default without --users and --rate."
    ),
    "slo_p95": Option(("--slo-p95",), "TIME", "The capacity is what keeps p95 below: 200ms.", values.milliseconds),
    "images": Option(("--images",), "DIR", "Pictures to send. Default: those that come with cvserve."),
    "body": Option(
        ("--body",), "KIND", "How pictures are sent: multipart (default) or raw.", values.one_of("multipart", "raw")
    ),
    "reads": Option(
        ("--reads",), "SHARE", "Share of requests that read the history: 20%. Default: none.", values.share
    ),
    "processes": Option(
        ("--processes",), "N", "Locust processes; -1: one a core. Default: one for two cores.", _processes
    ),
    "stop_timeout": Option(
        ("-s", "--stop-timeout"), "TIME", "How long users may take to finish at the end. Default: 10s.", values.duration
    ),
    "token_file": Option(
        ("--token-file",), "FILE", "File with the token for URL. Default: CVSERVE_TOKEN.", values.path
    ),
    "may_load": Option(("--i-may-load-this-host",), "", "URL is on another machine, and you may load it."),
    "model": Option(("--model",), "MODEL", "Model of the server that the test starts. Default: as for serve."),
    "workers": Option(("--workers",), "N", "Workers of the server that the test starts. Default: as for serve."),
    "max_p95": Option(("--max-p95",), "TIME", "Exit with 1 when p95 is above: 200ms.", values.milliseconds),
    "min_rps": Option(
        ("--min-rps",), "N", "Exit with 1 when fewer requests/s are held than this.", values.number(0, _MAX_RATE)
    ),
    "max_failures": Option(("--max-failures",), "SHARE", "Exit with 1 when more requests fail: 0.1%.", values.share),
    "exit_code_on_error": Option(
        ("--exit-code-on-error",), "CODE", "Exit code when a request failed. Default: 1.", values.whole(0, 255)
    ),
    "compare": Option(("--compare",), "RUN", "Exit with 1 when worse than: last, an id of --list, or a report.json."),
    "out": Option(("--out",), "DIR", "Folder of the report. Default: loadtest-TIME, here.", values.path),
    "html": Option(("--html",), "FILE", "Write the page there.", values.path),
    "csv": Option(("--csv",), "PREFIX", "Write Locust's CSV files there.", values.path),
    "json": Option(("--json",), "", "Print the report as JSON."),
    "list": Option(("--list",), "", "Print the runs that this folder keeps, and end."),
    "eject": Option(("--eject",), "FILE", "Write the locustfile that would be used, and end.", values.path),
    "home": Option(("--home",), "DIR", "Folder of cvserve.db, which keeps the runs. Default: here."),
}


def make_signature() -> inspect.Signature:
    """Make the signature that Typer reads: the URL, and every option as a text or a switch."""
    where = typer.Argument(
        metavar="URL", help="A running server. Default: the test starts its own.", show_default=False
    )
    parameters = [_parameter("url", Annotated[str | None, where], None)]
    for name, option in OPTIONS.items():
        if option.metavar:
            shown = typer.Option(*option.flags, metavar=option.metavar, help=option.help, show_default=False)
            parameters.append(_parameter(name, Annotated[str | None, shown], None))
        else:
            shown = typer.Option(*option.flags, help=option.help)
            parameters.append(_parameter(name, Annotated[bool, shown], default=False))
    return inspect.Signature(parameters)


def parse_options(texts: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the texts of the options into their values.

    Args:
        texts: by option; switches are booleans already.

    Returns:
        A value for each option; None where none was given.

    Raises:
        InvalidSetting: a text cannot be used.
    """
    found: dict[str, Any] = {}
    for name, option in OPTIONS.items():
        text = texts[name]
        found[name] = parse_option(option.flags[-1], text, option.parse) if isinstance(text, str) else text
    return found


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
