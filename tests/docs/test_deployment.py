"""Who makes a backup and restores it as the page says gets back what was there, readable for nobody else."""

import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.pages import ROOT, blocks
from support.process import ServerProcess

BACKUP, RESTORE = blocks("docs/deployment.md", "sh", "Backup, and how to restore it")
SAMPLE = next((ROOT / "src/cvserve/samples").glob("digit-4*"))


def run(block: str, folder: Path) -> None:
    subprocess.run(["bash", "-ec", block], cwd=folder, check=True)


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="the page's commands need sqlite3")
@pytest.mark.slow
def test_a_backup_is_restored(home: Path, server_process: Callable[..., ServerProcess]) -> None:
    server = server_process()
    with server.client() as client:
        kept = client.post("/predict", content=SAMPLE.read_bytes()).json()["id"]
        run(BACKUP, home)
        client.post("/predict", content=SAMPLE.read_bytes())
    assert stat.S_IMODE((home / "backup.db").stat().st_mode) == 0o600
    server.process.kill()  # what it has not moved into the file yet stays in the write-ahead log
    server.ended()
    assert (home / "cvserve.db-wal").stat().st_size > 0
    run(RESTORE, home)
    restored = server_process()
    with restored.client(server.token) as client:
        assert [row["id"] for row in client.get("/predict").json()] == [kept]
        assert client.post("/predict", content=SAMPLE.read_bytes()).json()["id"] == kept + 1
    assert restored.stop() == 0
