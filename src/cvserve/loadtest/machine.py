"""What is known of the machine that makes the load, so that runs can be compared; never its name or a path of it."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cvserve.cores import usable_cores


def read_machine() -> dict[str, Any]:
    """Read what numbers of two days differ by: cores, processor, memory, system and versions."""
    return {
        "cores": usable_cores(),
        "processor": _processor(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "cvserve": version("cvserve"),
        "locust": version("locust"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
