"""Becomes `cvserve serve` for a load test; the kernel ends it together with the test, whatever ends that."""

import os
import sys

from cvserve.engine.parent import die_with_parent

if __name__ == "__main__":
    parent, *arguments = sys.argv[1:]
    die_with_parent(int(parent))  # stays over the exec, which leaves nothing else of this process behind
    os.execv(sys.executable, [sys.executable, "-P", "-m", "cvserve", *arguments])  # noqa: S606 - our own interpreter
