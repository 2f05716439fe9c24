"""The console script as a process: help that is quick, exit codes, Ctrl-C, broken pipes."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer

import cvserve
from cvserve.cli import app
from support.command import cvserve as command
from support.command import loaded_modules


def command_paths(group: typer.Typer, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command path, the root first."""
    yield prefix
    for entry in group.registered_commands:
        assert entry.callback
        yield (*prefix, entry.name or entry.callback.__name__.replace("_", "-"))
    for sub in group.registered_groups:
        assert sub.typer_instance
        yield from command_paths(sub.typer_instance, (*prefix, str(sub.name)))


PATHS = list(command_paths(app))
HEAVY = {
    "numpy", "PIL", "sqlite_utils", "sqlite3", "pysqlite3", "starlette", "uvicorn", "loguru", "sklearn", "scipy",
    "skops", "rich", "pydantic", "asyncio", "dotenv", "tomllib", "http", "ssl", "locust", "markdown_it",
}  # fmt: skip


def test_all_promised_commands_are_there() -> None:
    promised = {
        ("serve",), ("predict",), ("history",), ("history", "show"), ("token", "new"), ("token", "list"),
        ("token", "revoke"), ("model", "inspect"), ("model", "try"), ("model", "trust"), ("loadtest",), ("config",),
        ("health",),
    }  # fmt: skip
    assert promised <= set(PATHS)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: " ".join(path) or "cvserve")
def test_help_of_every_command_is_quick_because_it_loads_little(path: tuple[str, ...]) -> None:
    code = f"import sys; sys.argv = {['cvserve', *path, '--help']!r}\nfrom cvserve.cli import main; main()"
    loaded = {name.partition(".")[0] for name in loaded_modules(code)}
    assert not loaded & HEAVY


@pytest.mark.parametrize("width", ["80", "120"])
def test_help_fits_the_terminal_and_names_the_exit(width: str, run_help: Callable[[str], str]) -> None:
    for line in run_help(width).splitlines():
        assert len(line) <= int(width)


@pytest.fixture
def run_help() -> Callable[[str], str]:
    return lambda width: command("--help", COLUMNS=width).out


def test_version_is_on_stdout() -> None:
    assert command("--version") == (0, f"cvserve {cvserve.__version__}\n", "")


def test_without_arguments_help_is_shown_and_it_was_wrong_usage() -> None:
    said = command()
    assert said.code == 2
    assert "Usage" in said.out + said.err


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["predict", "--nonsense"], ["history", "nonsense"], ["token", "new"]]
)
def test_wrong_usage_ends_with_2_and_says_nothing_on_stdout(arguments: list[str]) -> None:
    said = command(*arguments)
    assert (said.code, said.out) == (2, "")
    assert "Traceback" not in said.err


def test_ctrl_c_ends_with_130_and_no_traceback() -> None:
    read, write = os.pipe()
    outside, inside = pty.openpty()
    # Waits for a picture that never comes; a terminal's Ctrl-C is a SIGINT.
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "cvserve", "predict", "-"],
        stdin=read,
        stdout=inside,
        stderr=subprocess.PIPE,
    )
    assert process.stderr
    seen = b""
    while b"cvserve.commands.predict.answer" not in seen:  # the last import: it runs now
        seen = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(timeout=30) == 130
    assert b"Traceback" not in rest
    process.stderr.close()
    for descriptor in (read, write, outside, inside):
        os.close(descriptor)


@pytest.mark.parametrize("arguments", [["config"], ["config", "--json"], ["--help"]])
def test_a_reader_that_has_enough_is_no_error(arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        [sys.executable, "-m", "cvserve", *arguments], stdout=write, stderr=subprocess.PIPE, timeout=30, check=False
    )
    os.close(write)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_reader_that_leaves_in_the_middle_is_no_error(home: Path) -> None:
    from cvserve.history.history import History
    from support.predictions import prediction

    with History.open(home) as history:
        history.add_many([prediction() for _ in range(3_000)], source="cli", file_names=["a.jpg"] * 3_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "cvserve", "history", "-n", "0", "--nl"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=30) == 0
