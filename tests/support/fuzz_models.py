"""Loads forged `.skops` files as cvserve does and asks the models; a process of its own, since one may end it.

    python fuzz_models.py FOLDER FIRST END

`fuzz` runs it, and goes on behind a file that ended it. In FOLDER: `seed`, the one that is at work; `m.skops`, its
file; `counts.json`, what became of those before. With the allocator of `guard_malloc.c` preloaded, each step behind a
block of memory ends the process. What a model does beside answering (it trains, writes, reads pickles, starts
processes) is a fault as well.
"""

import collections
import ctypes
import faulthandler
import importlib
import json
import os
import resource
import subprocess
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from cvserve.errors import CvserveError
from cvserve.predictor.backends.sklearn.checks.allowed import ALLOWED
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
        faults: a line for each that ended the process or raised what is no error of ours, or that did more
            than answer; the files are kept.
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


class Watch:
    """Notes what no model may do while it is loaded and asked: train, write, read pickles, start processes."""

    _FORBIDDEN = ("os.exec", "os.fork", "os.mkdir", "os.posix_spawn", "os.remove", "os.system", "pickle.find_class")
    _WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

    def __init__(self) -> None:
        self.is_on = False
        self.seen: list[str] = []
        sys.addaudithook(self._note_event)
        for name in ALLOWED:
            module, _, kind = name.rpartition(".")
            owner = getattr(importlib.import_module(module), kind)
            if hasattr(owner, "fit") and kind != "LabelEncoder":  # one is made for an answer, of classes that are there
                self._note_fits(owner)

    def _note_fits(self, owner: Any) -> None:
        fit = owner.fit

        def note_fit(part: Any, *args: Any, **parameters: Any) -> Any:
            if self.is_on:
                self.seen.append(f"fit of {type(part).__name__}")
            return fit(part, *args, **parameters)

        owner.fit = note_fit

    def _note_event(self, event: str, args: tuple[Any, ...]) -> None:
        if self.is_on and (event in self._FORBIDDEN or (event == "open" and args[2] & self._WRITES)):
            self.seen.append(f"{event} {args}")


def main(folder: Path, first: int, end: int) -> None:
    """Try the seeds first…end−1."""
    faulthandler.enable()
    sys.dont_write_bytecode = True
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    path = folder / "m.skops"
    path.with_suffix(".toml").write_text('[input]\nscale = 0.0625\nresize = "exact"')
    path.write_bytes(dumped(KINDS[0], CLASSES[0]))
    try_file(path, "never")  # all imports
    files = {seed: forge(KINDS[seed % len(KINDS)], seed) for seed in range(first, end)}
    watch = Watch()
    guard = getattr(ctypes.CDLL(None), "guard_malloc", None)
    if guard is not None:
        guard(1)
    counts = collections.Counter[str]()
    for seed, data in files.items():
        (folder / "counts.json").write_text(json.dumps(counts))
        (folder / "seed").write_text(str(seed))
        faulthandler.dump_traceback_later(_HANGS_AFTER_S, exit=True)
        path.write_bytes(data)
        is_compiled = bool(os.environ.get("FUZZ_COMPILE"))
        watch.is_on = not is_compiled  # whoever compiles keeps what came of it
        try:
            counts[try_file(path, "auto" if is_compiled else "never")] += 1
        except Exception:  # a traceback is what a user must never see
            watch.is_on = False
            counts["escaped"] += 1
            (folder / f"escaped-{seed}.txt").write_text(traceback.format_exc())
            (folder / f"escaped-{seed}.skops").write_bytes(data)
        watch.is_on = False
        if watch.seen:
            (folder / f"escaped-{seed}.txt").write_text("\n".join(watch.seen))
            watch.seen.clear()
    (folder / "counts.json").write_text(json.dumps(counts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
