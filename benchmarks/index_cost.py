"""What each index of the history costs a commit: `python benchmarks/index_cost.py [--rows 100000]`, prints Markdown.

Groups of 1 and of 64 rows go into histories of a size, with all indexes and with one left out, in turn.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from cvserve.store.columns import GIVEN
from cvserve.store.database import connect, prepare_database
from cvserve.store.rows import ModelKey, NewRow
from cvserve.store.transaction import insert_rows

GROUPS = (1, 64)
COMMITS = {1: 400, 64: 40}
REPEATS = 7
INDEXES = ("label", "token_id", "model_id")
MODEL = ModelKey("digits", "0" * 64, "000000000000", "sklearn")


def row(number: int) -> NewRow:
    """One as `POST /predict` stores it."""
    top = '[{"index":3,"label":"3","score":0.98},{"index":8,"label":"8","score":0.01}]'
    values = {
        "result": number % 10, "label": str(number % 10), "score": 0.98, "top": top, "decode_ms": 0.3, "queue_ms": 0.1,
        "infer_ms": 0.4, "source": "http", "request_id": f"{number:032x}", "client": "127.0.0.1", "file_name": "a.jpg",
        "image_sha256": f"{number * 7919:064x}", "image_bytes": 20_000, "width": 512, "height": 384, "format": "JPEG",
    }  # fmt: skip
    return NewRow(MODEL, dict.fromkeys(GIVEN) | values)


class History:
    """A filled database of its own, perhaps with one index less."""

    def __init__(self, folder: Path, without: str | None, rows: int) -> None:
        path = folder / "cvserve.db"
        prepare_database(path)
        self._connection = connect(path, writer=True, durability="normal")
        if without is not None:
            self._connection.execute(f"DROP INDEX idx_predictions_{without}")
        self._ids: dict[ModelKey, int] = {}
        self._next = 0
        while self._next < rows:
            self._store(1_000)

    def commit_us(self, group: int) -> float:
        """Microseconds for a group of rows, commit included."""
        begin = time.perf_counter()
        for _ in range(COMMITS[group]):
            self._store(group)
        return (time.perf_counter() - begin) / COMMITS[group] * 1e6

    def _store(self, count: int) -> None:
        insert_rows(self._connection, [row(self._next + index) for index in range(count)], self._ids)
        self._next += count


def main() -> None:
    """Measure in turn and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    cases = (None, *INDEXES)
    measured: dict[tuple[str | None, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        histories = {}
        for case in cases:
            (home := Path(folder) / (case or "all")).mkdir()
            histories[case] = History(home, case, rows)
        for _ in range(REPEATS):
            for group in GROUPS:
                for case in cases:
                    measured.setdefault((case, group), []).append(histories[case].commit_us(group))
    sys.stdout.write("| indexes | 1 row, µs | 64 rows, µs a row |\n|---|--:|--:|\n")
    for case in cases:
        one, many = (statistics.median(measured[case, group]) / group for group in GROUPS)
        sys.stdout.write(f"| {'all' if case is None else f'without {case}'} | {one:.0f} | {many:.1f} |\n")


if __name__ == "__main__":
    main()
