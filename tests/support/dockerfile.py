"""Just enough of a Dockerfile and a .dockerignore to run their steps without an engine."""

import fnmatch
import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from support.pages import ROOT


@dataclass
class Stage:
    """One `FROM` and what follows it: (instruction, rest of the line)."""

    image: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def last(self, instruction: str) -> str:
        """The rest of the last line of that instruction."""
        return next(rest for name, rest in reversed(self.steps) if name == instruction)

    def command(self, instruction: str) -> list[str]:
        """The last exec-form command of that instruction."""
        rest = self.last(instruction)
        parsed: list[str] = json.loads(rest[rest.index("[") :])
        return parsed

    def environment(self) -> dict[str, str]:
        """All variables of ENV."""
        lines = [rest for name, rest in self.steps if name == "ENV"]
        return dict(word.split("=", 1) for line in lines for word in shlex.split(line))


def stages() -> list[Stage]:
    """The stages of the repository's Dockerfile."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    found: list[Stage] = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        instruction, rest = line.strip().split(None, 1)
        if instruction == "FROM":
            found.append(Stage(rest.split()[0]))
        else:
            found[-1].steps.append((instruction, rest))
    return found


def is_sent(path: Path) -> bool:
    """Whether a file of the repository reaches the engine, after .dockerignore (the last match decides)."""
    name = path.relative_to(ROOT).as_posix()
    sent = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!")
        deep = pattern.removeprefix("**/")
        matches = (
            name == pattern
            or name.startswith(f"{pattern}/")
            or pattern == "*"
            or (deep != pattern and any(fnmatch.fnmatch(part, deep) for part in name.split("/")))
        )
        if matches:
            sent = line.startswith("!")
    return sent
