"""Models for worker processes: made there from their name, and doing what real ones do only on bad days."""

import ctypes
import os
import random
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.errors import InvalidImage, ModelLoadError
from cvserve.predictor.contract import Inferred
from cvserve.predictor.predictor import Predictor
from support import fakes
from support.every_error import every_error
from support.fakes import BrightnessPredictor
from support.gate import Gate


class GatedByFiles(BrightnessPredictor):
    """Waits at the gate of a folder."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.gate = Gate(Path(folder))

    def warm_up(self) -> "GatedByFiles":
        return self

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        self.gate.pass_through(len(batch))
        return super().infer(batch)


class Counting(GatedByFiles):
    """Tells how many pictures came in each batch, and waits for nothing."""

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        self.gate.open()
        return super().infer(batch)


class Spoiling(BrightnessPredictor):
    """Gives another shape than it should, or numbers that are none."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def warm_up(self) -> "Spoiling":
        return self

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        scores = super().infer(batch)
        spoilt: dict[str, NDArray[Any]] = {
            "too few rows": scores[:-1],
            "too many rows": np.vstack([scores, scores]),
            "not a number": scores * np.nan,
            "infinite": scores + np.inf,
            "too few classes": scores[:, :2],
            "a number": scores[0, 0],
        }
        return spoilt[self.how]


class Raising(BrightnessPredictor):
    """Its `preprocess` raises: for a picture of grey level N the Nth error of the whole tree of ours."""

    def preprocess(self, image: Image.Image) -> NDArray[Any]:
        array = super().preprocess(image)
        if (level := int(array[0])) < len(errors := every_error()):
            raise errors[level]
        return array


class Refusing(BrightnessPredictor):
    """Its `preprocess` refuses every picture, by an error of its own that keeps what JSON cannot say."""

    def preprocess(self, image: Image.Image) -> NDArray[Any]:
        class TooBlurred(InvalidImage):
            def __init__(self, sharpness: float, pixels: bytes) -> None:
                super().__init__("This picture is too blurred.")
                self.sharpness, self.pixels = sharpness, pixels

        raise TooBlurred(0.25, image.tobytes())

    def warm_up(self) -> "Refusing":
        return self


class WarningInBytes(BrightnessPredictor):
    """Warns of black pictures in something that is no text."""

    def warm_up(self) -> "WarningInBytes":
        return self

    def infer(self, batch: NDArray[Any]) -> Any:
        warnings: list[Any] = [b"too dark" if level < 1 else None for level in batch[:, 0]]
        return Inferred(super().infer(batch), warnings)


class Deadly(BrightnessPredictor):
    """Does something terrible when a white picture is in the batch."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        if (batch > 192).any():
            getattr(self, self.how)()
        return super().infer(batch)

    def kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def crash(self) -> None:
        ctypes.string_at(0)

    def leave(self) -> None:
        os._exit(3)

    def exit(self) -> None:
        sys.exit(3)

    def hang(self) -> None:
        threading.Event().wait()

    def stop(self) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)

    def close_files(self) -> None:
        os.closerange(3, 1_024)

    def babble(self) -> None:
        """Writes into the worker's own connection what no worker says."""
        for name in os.listdir("/proc/self/fd"):
            if os.path.exists(f"/proc/self/fd/{name}") and "socket" in os.readlink(f"/proc/self/fd/{name}"):
                os.write(int(name), b"\0\0\0\4nope")


class Stillborn(BrightnessPredictor):
    """Loads well, and ends every process that is forked from the one that loaded it."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def setup(self) -> None:
        os.register_at_fork(after_in_child=getattr(Deadly(self.how), self.how))


class Leaking(BrightnessPredictor):
    """Keeps so many MiB of each picture."""

    def __init__(self, mebibytes: int) -> None:
        super().__init__()
        self.mebibytes = mebibytes
        self.kept: list[bytearray] = []

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        self.kept.extend(bytearray(b"x" * 2**20) * self.mebibytes for _ in batch)
        return super().infer(batch)


class Threaded(BrightnessPredictor):
    """Starts a thread of its own when it is set up, as many libraries do; then no fork is safe."""

    def setup(self) -> None:
        threading.Thread(target=threading.Event().wait, daemon=True).start()


class Large(Threaded):
    """Also takes so many megabytes, which no fork can share with it."""

    def __init__(self, megabytes: int) -> None:
        super().__init__()
        self.held = np.ones(megabytes * 1024**2, dtype=np.uint8)


class OnDevice(BrightnessPredictor):
    """Says that it computes on a device, and how many pictures came at once; the device has one thread at a time."""

    def __init__(self, folder: str = "", largest: int = 1_000, device: str = "npu:0") -> None:
        super().__init__()
        self.info = replace(self.info, device=device)
        self.folder = folder
        self.largest = largest
        self.busy = threading.Lock()

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        assert self.busy.acquire(blocking=False), "two batches on the device at once"
        try:
            if self.folder:
                with open(Path(self.folder) / "sizes", "a", encoding="ascii") as sizes:
                    sizes.write(f"{os.getpid()} {len(batch)}\n")
            if len(batch) > self.largest:
                raise MemoryError("the device's memory is full")
            return super().infer(batch)
        finally:
            self.busy.release()


class Drawing(BrightnessPredictor):
    """Writes the first random numbers of each process into a file of its own."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = Path(folder)

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        file = self.folder / str(os.getpid())
        if not file.exists():
            file.write_text(f"{random.random()} {np.random.random()}")
        return super().infer(batch)

    def warm_up(self) -> "Drawing":
        return self


class Paced(BrightnessPredictor):
    """Takes so many milliseconds a batch, and so many more a picture: a capacity that is known beforehand.

    What passes between two batches counts as part of the second, so that the capacity is that of the numbers, not
    that of this machine on this day.
    """

    SLACK_S = 0.015

    def __init__(self, picture_ms: float, batch_ms: float = 0.0) -> None:
        super().__init__()
        self.picture_ms, self.batch_ms = picture_ms, batch_ms
        self.free_at = 0.0

    def warm_up(self) -> "Paced":
        return self

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        scores = super().infer(batch)
        begin = max(self.free_at, time.perf_counter() - self.SLACK_S)
        self.free_at = begin + (self.batch_ms + self.picture_ms * len(batch)) / 1000
        time.sleep(max(0.0, self.free_at - time.perf_counter()))
        return scores


class Unloadable(BrightnessPredictor):
    """Cannot be warmed up."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def setup(self) -> None:
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "refuse":
            error = ModelLoadError("There is no table of names.")
            error.table = Path("/nowhere/names.csv")  # type: ignore[attr-defined]
            raise error
        raise RuntimeError("this is what the model's own code says")


def make(name: str, **arguments: Any) -> Predictor:
    """A model of this module or of `support.fakes`."""
    kind = globals().get(name) or getattr(fakes, name)
    predictor: Predictor = kind(**arguments)
    return predictor
