"""Promise 2: with durability full, the write-ahead log is on the disk and the line in output.log before the answer."""

import re
import shutil
from pathlib import Path

from promises.harness import Client, Outcome, Promise, Target, main
from support.pictures import digit_photo

PROMISE = Promise(
    2,
    "With durability full, what was answered survives a power cut: the write-ahead log was synced before the answer.",
    "strace: for each 200, fdatasync of cvserve.db-wal and the write to output.log ended before the answer was sent",
)
_SYNC = re.compile(r"f(?:data)?sync\(\d+<[^>]*cvserve\.db-wal>.*= 0|f(?:data)?sync resumed>.*= 0")
_LINE = re.compile(r"write\(\d+<[^>]*output\.log>")
_ANSWER = re.compile(r"(?:sendto|sendmsg|write|writev)\(\d+<(?:socket|TCP)[^>]*>.*HTTP/1\.1 200")


def measure(target: Target) -> Outcome:
    """Trace a server, ask it one thing after the other, read the trace."""
    if shutil.which("strace") is None:
        return Outcome(why="strace is not installed")
    count, trace = target.count(200), target.folder / "trace"
    calls = "trace=fsync,fdatasync,write,writev,sendto,sendmsg"
    tracer = ("strace", "-D", "-f", "-y", "-s", "40", "-e", calls, "-o", str(trace))
    server = target.serve(target.home(), "--workers", "1", "--durability", "full", before=tracer)
    client, picture = Client(server.url), digit_photo("4")
    statuses = [client.predict(picture)[0] for _ in range(count)]
    server.stop()
    synced, logged, answers = read_trace(trace)
    figures = {"answers": statuses.count(200), "seen": answers, "synced before": synced, "logged before": logged}
    return Outcome(figures, statuses.count(200) == answers == synced == logged == count)


def read_trace(trace: Path) -> tuple[int, int, int]:
    """How many answers left after a sync, after a line, and at all, each since the answer before."""
    synced = logged = answers = 0
    has_synced = has_logged = False
    for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
        if _ANSWER.search(line):
            answers, synced, logged = answers + 1, synced + has_synced, logged + has_logged
            has_synced = has_logged = False
        has_synced = has_synced or bool(_SYNC.search(line))
        has_logged = has_logged or bool(_LINE.search(line))
    return synced, logged, answers


if __name__ == "__main__":
    main(PROMISE, measure)
