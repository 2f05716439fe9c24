"""How many layers a configuration asks for: each is made after the other, also where its weights take no memory.

A file of 100 bytes may say a thousand million, for which Python would work and fill the memory without an end.
"""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from cvserve.predictor.models.fault import ModelFault

# Words for how often something is made; the deepest networks have some hundred layers, the widest 200,000 classes.
_COUNTS = re.compile("(layer|depth|block|stage|repeat|levels)(?!.*channels)")
_MOST_LAYERS, _MOST_CLASSES = 10_000, 250_000
# Of which transformers makes a name for each.
_LABELS = "num_labels"
# A layer may have parameters that it leaves out, and a network layers that have none.
_PARAMETERS_FOR_EACH, _MODULES_FOR_EACH, _SPARE = 4, 20, 1000


def check_layer_counts(says: Mapping[str, Any]) -> None:
    """Refuse numbers of layers and classes that no network has, before a configuration is made of them.

    Args:
        says: names and values, as they stand in `config.json`.

    Raises:
        ModelFault: there is one.
    """
    for name, value in says.items():
        if isinstance(value, Mapping):
            check_layer_counts(value)
            continue
        most = _MOST_CLASSES if name == _LABELS else _MOST_LAYERS if _COUNTS.search(name) else None
        if most is not None and _count(value) > most:
            raise ModelFault(
                f"has a config.json with a {name} of more than {most:,}, which no network has; copy it again, or save "
                "the model again."
            )


@contextmanager
def bounded_modules(torch: Any, name: str, weights: int) -> Iterator[None]:
    """While a network is made in this thread: it ends when it has many more parts than there are weights.

    Args:
        torch: the library.
        name: of the class.
        weights: how many tensors there are for it.

    Raises:
        ModelFault: it has.
    """
    thread = threading.get_ident()
    left = {
        "parameters": _PARAMETERS_FOR_EACH * weights + _SPARE,
        "modules": _MODULES_FOR_EACH * weights + _SPARE,
    }

    def count(kind: str) -> None:
        if threading.get_ident() == thread:
            left[kind] -= 1
            if left[kind] < 0:
                raise ModelFault(
                    f"has other weights than those of {name} in its config.json: it needs many more than the "
                    f"{weights:,} tensors there are; take both files of one model, as they were saved together."
                )

    hooks = torch.nn.modules.module
    with ExitStack() as stack:
        stack.callback(hooks.register_module_parameter_registration_hook(lambda *_: count("parameters")).remove)
        stack.callback(hooks.register_module_module_registration_hook(lambda *_: count("modules")).remove)
        yield


def _count(value: Any) -> float:
    """The number that a value says, or the sum of those in its lists."""
    total, todo = 0.0, [value]
    while todo:
        item = todo.pop()
        if isinstance(item, list):
            todo.extend(item)
        elif isinstance(item, (int, float)):
            total += min(abs(item), 2.0**63)
    return total
