"""A gate that holds a model in `infer`, in this process or another one, until the test opens it."""

import os
from pathlib import Path


class Gate:
    """Closed when made; everything is files, so that it works across processes.

    Args:
        folder: of this gate alone.
    """

    def __init__(self, folder: Path) -> None:
        self._pipe = folder / "gate"
        self._entered = folder / "entered"
        self._descriptor: int | None = None
        if not self._pipe.exists():
            os.mkfifo(self._pipe)
            self._entered.touch()

    def pass_through(self, batch_size: int) -> None:
        """For the model: tell that a batch is here, then wait until somebody has the pipe open for writing."""
        with self._entered.open("a") as file:
            file.write(f"{batch_size}\n")
        os.close(os.open(self._pipe, os.O_RDONLY))

    def open(self) -> None:
        """For the test: let everybody pass, from now on."""
        if self._descriptor is None:
            self._descriptor = os.open(self._pipe, os.O_RDWR)

    def close(self) -> None:
        """For the test: hold the next batch again, or give the file back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def batch_sizes(self) -> list[int]:
        """Sizes of the batches that came so far, also those that wait at the gate."""
        return [int(line) for line in self._entered.read_text().split()]
