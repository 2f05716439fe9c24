"""Blocks of the pages, and their output with everything taken out that differs from run to run."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_VOLATILE = (
    (re.compile(r"cvs_[0-9A-Za-z]+"), "TOKEN"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"), "REQUEST"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+Z)?"), "TIME"),
    (re.compile(r'"(decode|queue|infer|store)":[\d.]+'), r'"\1":MS'),
    (re.compile(r"[\d.]+ms"), "MS"),
    (re.compile(r"127\.0\.0\.1:\d+"), "HOST"),
    (re.compile(r"\b\d+B (in|out)"), r"BYTES \1"),
    (re.compile(r"\bid=\d+"), "id=ID"),
    (re.compile(r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{6,12}\b"), "HASH"),
    (re.compile(r"[█░]+"), "BAR"),
    (re.compile(r"[ \t]+"), " "),
)


@dataclass(frozen=True)
class Command:
    """One line behind a `$`, and what the page says it prints."""

    line: str
    output: str


def blocks(page: str, language: str, section: str | None = None) -> list[str]:
    """The text of all blocks of a language, in order, on a page or under one of its headings `## section`."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if section is not None:
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [body for name, body in _BLOCK.findall(text) if name == language]


def commands(block: str) -> Iterator[Command]:
    """The commands of a console block."""
    line: str | None = None
    output: list[str] = []
    for entry in [*block.splitlines(), "$ "]:
        if entry.startswith("$ "):
            if line is not None:
                yield Command(line, "\n".join(output))
            line, output = entry[2:], []
        else:
            output.append(entry)


def steady(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, word in _VOLATILE:
        text = pattern.sub(word, text)
    return "\n".join(line.strip() for line in text.strip().splitlines())


def replayed(page: str, answer: Callable[[str], str]) -> str:
    """The page with the output of every console command as `answer` gives it."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in blocks(page, "console"):
        parts = [f"$ {command.line}\n{_ended(answer(command.line))}" for command in commands(block)]
        text = text.replace(block, "".join(parts))
    return text


def run(line: str, folder: Path, **environment: str) -> str:
    """What a shell prints on both streams for a command line."""
    ended = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return ended.stdout


def _ended(text: str) -> str:
    return text if text.endswith("\n") or not text else f"{text}\n"
