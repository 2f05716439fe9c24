"""What the kernel says of a process: its memory, whether it is stopped, and whether memory ran out. Linux only."""

import os
from pathlib import Path

# States in proc(5): stopped by a signal or a debugger; and those, or waiting for a disk. Such a process does nothing of
# its own.
STOPPED = frozenset("Tt")
HELD = frozenset("TtD")


def resident_bytes(pid: int | None) -> int:
    """Resident memory of a process; 0 where that cannot be known."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def read_state(pid: int | None) -> str:
    """The letter of a process's state, such as `R` for running; empty where that cannot be known."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read()
    except OSError:
        return ""
    return chr(fields[fields.rindex(b")") + 2])  # behind the name, which is in parentheses and may hold anything


def count_oom_kills() -> int:
    """How many processes the kernel has killed for want of memory: in this cgroup, else on this machine; 0 if unknown.

    The counter only rises, so that two readings tell whether it happened in between.
    """
    for path in (_find_cgroup_events(), Path("/proc/vmstat")):
        try:
            lines = path.read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        counts = [int(line.split()[1]) for line in lines if line.startswith("oom_kill ")]
        if counts:
            return counts[0]
    return 0


def _find_cgroup_events() -> Path:
    """The file of this process's cgroup (version 2) that counts such kills; it need not exist."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    group = next((line[3:] for line in lines if line.startswith("0::")), "/")
    return Path("/sys/fs/cgroup") / group.lstrip("/") / "memory.events"
