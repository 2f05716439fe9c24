"""Each worker of a server computes on one thread; numeric libraries add none of their own."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.process import ServerProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def test_libraries_add_no_threads_unless_the_operator_says_so(
    server_process: Callable[..., ServerProcess], home: Path
) -> None:
    def threads(name: str, **environment: str) -> int:
        server = server_process("--home", str(home / name), "--no-auth", **environment)
        count = len(list(Path(f"/proc/{server.process.pid}/task").iterdir()))
        server.stop()
        return count

    by_default = threads("default")
    assert by_default == threads("one", OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    assert by_default < threads("four", OPENBLAS_NUM_THREADS="4", OMP_NUM_THREADS="4")
