"""The command line as a process of its own, and in the test's process for breadth."""

import os
import subprocess
import sys
from typing import NamedTuple

# With these in its environment a process measures which of its lines are run; that loads modules and takes time.
MEASURED_BY = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")


class Said(NamedTuple):
    """What a command ended with, said on stdout and on stderr."""

    code: int
    out: str
    err: str


def cvserve(*arguments: str, stdin: bytes | None = None, **environment: str) -> Said:
    """Run `cvserve` in a process, in the working folder."""
    command = [sys.executable, "-m", "cvserve", *arguments]
    ended = subprocess.run(
        command, input=stdin, capture_output=True, timeout=60, env={**os.environ, **environment}, check=False
    )
    return Said(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def loaded_modules(code: str) -> set[str]:
    """Names of all modules in a fresh process after `code` ran; its output is thrown away."""
    program = (
        "import os, sys\n"
        "real = os.dup(1); os.dup2(os.open(os.devnull, os.O_WRONLY), 1)\n"
        f"try:\n    exec({code!r})\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "sys.stdout.flush(); os.dup2(real, 1)\n"
        "print('\\n'.join(sys.modules))\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in MEASURED_BY}
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert ended.returncode == 0, ended.stderr
    return set(ended.stdout.split())
