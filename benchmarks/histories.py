"""Histories of many rows, filled directly with the real schema; made once into `.work/histories/`."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import work

from cvserve.store import database
from cvserve.store.columns import WRITTEN

FOLDER = work.FOLDER / "histories"
BLOCK = 100_000
PER_SECOND = 20  # how fast the rows came in, for their times
CREATED = "2026-01-01T00:00:00.000Z"


def home(rows: int) -> Path:
    """A folder whose cvserve.db holds so many rows (and what was posted to it since)."""
    folder = FOLDER / str(rows)
    mark = folder / "filled"
    if not mark.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        _fill(folder / "cvserve.db", rows)
        mark.touch()
    for log in folder.glob("output*.log"):
        log.unlink()
    return folder


def newest(folder: Path) -> int:
    """The largest id."""
    connection = sqlite3.connect(folder / "cvserve.db")
    try:
        return int(connection.execute("SELECT max(id) FROM predictions").fetchone()[0] or 0)
    finally:
        connection.close()


def _fill(path: Path, rows: int) -> None:
    database.prepare_database(path)
    connection = database.connect(path, writer=True, durability="normal")
    connection.execute("PRAGMA cache_size = -262144")
    sql = f"INSERT INTO predictions ({', '.join(WRITTEN)}) VALUES ({', '.join(f':{name}' for name in WRITTEN)})"
    connection.execute("BEGIN")
    model = connection.execute(
        "INSERT INTO models (name, version, sha256, format, created_at) VALUES (?, ?, ?, ?, ?)",
        ("filler", "0" * 12, "0" * 64, "skops", CREATED),
    ).lastrowid
    token = connection.execute(
        "INSERT INTO tokens (name, scopes, created_at) VALUES (?, ?, ?)", ("filler", "predict", CREATED)
    ).lastrowid
    connection.execute(
        "INSERT INTO token_usage (token_id, predictions, last_used_at) VALUES (?, ?, ?)", (token, rows, CREATED)
    )
    connection.execute("COMMIT")
    for start in range(0, rows, BLOCK):
        connection.execute("BEGIN")
        connection.executemany(sql, _rows(range(start, min(rows, start + BLOCK)), model, token))
        connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _rows(numbers: range, model: int | None, token: int | None) -> Iterator[dict[str, Any]]:
    tops = [
        json.dumps([{"index": (c + k) % 10, "label": str((c + k) % 10), "score": 0.2} for k in range(5)])
        for c in range(10)
    ]
    for number in numbers:
        result = number * 7 % 10
        second = number // PER_SECOND
        minutes, hours = second // 60, second // 3600
        day = f"2026-{1 + hours // 672 % 10:02}-{1 + hours // 24 % 28:02}"
        when = f"{day}T{hours % 24:02}:{minutes % 60:02}:{second % 60:02}.000Z"
        known = {
            "result": result, "label": str(result), "score": 0.9, "top": tops[result], "model_id": model,
            "created_at": when, "decode_ms": 1.5, "queue_ms": 0.1, "infer_ms": 0.3, "source": "http",
            "token_id": token, "request_id": f"01a2068c-ce72-7372-9713-{number:012x}", "client": "127.0.0.1",
            "file_name": "img.jpg", "image_sha256": f"{number:064x}", "image_bytes": 20_000, "width": 512,
            "height": 384, "format": "JPEG",
        }  # fmt: skip
        yield dict.fromkeys(WRITTEN) | known
