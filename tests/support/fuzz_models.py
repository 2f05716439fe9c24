"""Loads forged `.skops` files as cvserve does and asks the models; a process of its own, since one may end it.

    python fuzz_models.py FOLDER FIRST END

`fuzz` runs it, and goes on behind a file that ended it. In FOLDER: `seed`, the one that is at work; `m.skops`, its
file; `counts.json`, what became of those before. With the allocator of `guard_malloc.c` preloaded, each step behind a
block of memory ends the process.
"""

import collections
import ctypes
import faulthandler
import json
import os
import resource
import subprocess
import sys
import traceback
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from cvserve.errors import CvserveError
from support.hostile_models import CLASSES, KINDS, dumped, forge
from support.models import load_model

# skops asks for trust in these; what is in them is checked all the same.
_TRUSTED = ("scipy.sparse._csr.csr_matrix", "scipy.sparse._csr.csr_array")
_SIZE_PX = (8, 8)
_AT_ONCE = 2500
_HANGS_AFTER_S = 120


class Outcome(NamedTuple):
    """What became of many files.

    Attributes:
        counts: of each outcome of `try_file`.
        faults: a line for each that ended the process or raised what is no error of ours; the files are kept.
    """

    counts: collections.Counter[str]
    faults: list[str]


def fuzz(folder: Path, first: int, end: int, **environment: str) -> Outcome:
    """Try the seeds first…end−1 in processes with this environment beside their own."""
    outcome = Outcome(collections.Counter(), [])
    while first < end:
        upto = min(end, first + _AT_ONCE)
        (folder / "counts.json").unlink(missing_ok=True)
        command = [sys.executable, "-m", "support.fuzz_models", str(folder), str(first), str(upto)]
        run = subprocess.run(
            command,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **environment},
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            timeout=_HANGS_AFTER_S * 30,
            check=False,
        )
        outcome.counts.update(json.loads((folder / "counts.json").read_text()))
        if run.returncode == 0:
            first = upto
            continue
        seed = int((folder / "seed").read_text())
        (folder / "m.skops").rename(folder / f"ended-{seed}.skops")
        outcome.faults.append(f"{KINDS[seed % len(KINDS)]}, seed {seed}: exit {run.returncode}\n{run.stderr[:3000]}")
        first = seed + 1
    outcome.faults.extend(f"{path}:\n{path.read_text()}" for path in sorted(folder.glob("escaped-*.txt")))
    return outcome


def try_file(path: Path, compile_mode: str) -> str:
    """What became of a file: `refused`, `answered`, `failed` (an error of the model's while it answers)."""
    try:
        model = load_model(path, trust_types=_TRUSTED, compile=compile_mode)
    except CvserveError as error:
        return "untrusted" if "--trust-type" in str(error) else "refused"
    random = np.random.default_rng(0)
    for count in (1, 5):
        pixels = random.integers(0, 256, (count, *_SIZE_PX), np.uint8)
        batch = np.stack([np.asarray(model.preparation.prepare(Image.fromarray(picture))) for picture in pixels])
        try:
            model.backend.infer(batch)
        except Exception:  # any model may fail in any way; that it is told apart is another test's matter
            return "failed"
    return "answered"


def main(folder: Path, first: int, end: int) -> None:
    """Try the seeds first…end−1."""
    faulthandler.enable()
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    path = folder / "m.skops"
    path.with_suffix(".toml").write_text('[input]\nscale = 0.0625\nresize = "exact"')
    path.write_bytes(dumped(KINDS[0], CLASSES[0]))
    try_file(path, "never")  # all imports
    files = {seed: forge(KINDS[seed % len(KINDS)], seed) for seed in range(first, end)}
    guard = getattr(ctypes.CDLL(None), "guard_malloc", None)
    if guard is not None:
        guard(1)
    counts = collections.Counter[str]()
    for seed, data in files.items():
        (folder / "counts.json").write_text(json.dumps(counts))
        (folder / "seed").write_text(str(seed))
        faulthandler.dump_traceback_later(_HANGS_AFTER_S, exit=True)
        path.write_bytes(data)
        try:
            counts[try_file(path, "auto" if os.environ.get("FUZZ_COMPILE") else "never")] += 1
        except Exception:  # a traceback is what a user must never see
            counts["escaped"] += 1
            (folder / f"escaped-{seed}.txt").write_text(traceback.format_exc())
            (folder / f"escaped-{seed}.skops").write_bytes(data)
    (folder / "counts.json").write_text(json.dumps(counts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
