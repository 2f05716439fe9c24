"""Networks that are asked in training mode, seen while a model is tried.

Batch normalisation in training mode takes the statistics of the very pictures that are asked about. Of one picture
alone it gives the same answer each time, and a wrong one, so that no comparison of answers shows it.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class TrainingWatch:
    """What was seen of networks while they were asked.

    Attributes:
        modules: those that were in training mode, of a kind whose answers depend on it.
    """

    def __init__(self) -> None:
        self.modules: list[Any] = []

    def describe(self, own: Any) -> str | None:
        """What is wrong, as a predicate; None: no network was in training mode.

        Args:
            own: an object of a user's class, in which the network is looked for by name.
        """
        if not self.modules:
            return None
        kinds = ", ".join(dict.fromkeys(type(module).__name__ for module in self.modules))
        name = _find_name(own, self.modules[0])
        network = f"its network {name}" if name else "a network of its"
        call = f"{name}.eval()" if name else "eval() on it"
        return (
            f"runs {network} in training mode ({kinds}), in which an answer depends on chance or on company; "
            f"call {call} in setup, after its weights are loaded."
        )


@contextmanager
def watch_training() -> Iterator[TrainingWatch]:
    """Watch every network that is called in the block, whoever holds it, if PyTorch is loaded."""
    watch = TrainingWatch()
    torch = sys.modules.get("torch")
    if torch is None:
        yield watch
        return

    def look(module: Any, _given: Any) -> None:
        if module.training and _depends_on_mode(torch, module) and not any(module is one for one in watch.modules):
            watch.modules.append(module)

    handle = torch.nn.modules.module.register_module_forward_pre_hook(look)
    try:
        yield watch
    finally:
        handle.remove()


def _depends_on_mode(torch: Any, module: Any) -> bool:
    if isinstance(module, torch.nn.modules.batchnorm._NormBase):
        return module.running_mean is not None
    return isinstance(module, torch.nn.modules.dropout._DropoutNd) and module.p > 0


def _find_name(own: Any, module: Any) -> str | None:
    """The attribute of an object that holds a network with this module in it: `self.net`."""
    for key, value in getattr(own, "__dict__", {}).items():
        modules = getattr(value, "modules", None)
        if callable(modules) and any(one is module for one in modules()):
            return f"self.{key}"
    return None
