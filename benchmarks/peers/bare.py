"""Microseconds for one picture without any server: `python bare.py FOLDER SECONDS`, with MODEL in the environment.

Reduced decode, resize and `predict_proba` in batches of 64, in one process; prints one number.
"""

import os
import sys
import time
from pathlib import Path

os.environ["DECODER"] = "simplejpeg"

import common  # after DECODER, which it reads

BATCH = 64


def main() -> None:
    """Measure for as long as asked."""
    pictures = [path.read_bytes() for path in sorted(Path(sys.argv[1]).glob("*.jpg"))]
    batch = [pictures[index % len(pictures)] for index in range(BATCH)]
    model = common.load_model()
    model.predict_proba([common.features(data) for data in batch])
    done, started = 0, time.perf_counter()
    while (took := time.perf_counter() - started) < float(sys.argv[2]):
        model.predict_proba([common.features(data) for data in batch])
        done += BATCH
    print(f"{took / done * 1e6:.1f}")


if __name__ == "__main__":
    main()
