"""Each worker of a server computes on one thread; numeric libraries add none of their own."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.process import ServerProcess, children

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def test_libraries_add_no_threads_unless_the_operator_says_so(
    server_process: Callable[..., ServerProcess], home: Path
) -> None:
    def threads(name: str, **environment: str) -> int:
        server = server_process("--home", str(home / name), "--no-auth", "--workers", "2", **environment)
        (fork_server,) = children(server.process.pid)
        count = sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in (fork_server, *children(fork_server)))
        server.stop()
        return count

    assert threads("default") == 3
    assert threads("four", OPENBLAS_NUM_THREADS="4", OMP_NUM_THREADS="4") > 3
