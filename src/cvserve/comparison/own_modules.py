"""What a reference imports beside a model of which only what was hashed may be imported: its own, and nobody else's."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from cvserve.predictor.models.files.imports import HashedFinder, let_in


class OwnModules:
    """Modules that are there while the reference runs: its user named it, which vouches for none of the model's code.

    Between its runs they are not among the loaded ones, where the model's code would get them without being asked
    for a hash.
    """

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._modules: dict[str, ModuleType] = {}

    def claim(self, name: str) -> None:
        """Count the reference's own file among them, which is run without being imported, if no code may import it."""
        with let_in(self._names):
            for finder in sys.meta_path:
                if isinstance(finder, HashedFinder):
                    finder.find_spec(name)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Run the reference's code with them, and with what it then imports."""
        sys.modules.update(self._modules)
        try:
            with let_in(self._names):
                yield
        finally:
            for name in self._names & sys.modules.keys():
                self._modules[name] = sys.modules.pop(name)
