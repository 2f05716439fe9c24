"""What is wrong with a model, said without its name; `about` puts the name before it, once.

A loader calls a dozen functions, and each of them may find a fault. If each had to name the file as well, each
would need it as a parameter. So they raise the second half of the sentence, and whoever knows the file adds the first:

    with about(file):
        raise ModelFault("is damaged; save or copy it again.")
    # ModelLoadError: 'model.onnx' is damaged; save or copy it again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from cvserve.errors import ModelLoadError

# What a fault calls the `model.toml` of its model, of which it need not know the name either.
ITS_CONFIG = "its model.toml"


class ModelFault(ModelLoadError):
    """A fault of a model as a predicate: it begins with a verb, e.g. "gives no scores; …"."""


class _Named(Protocol):
    """Whatever has a path; `ModelFile` is one."""

    @property
    def path(self) -> Path: ...


@contextmanager
def about(subject: _Named | str, config_name: str | None = None) -> Iterator[None]:
    """Turn each `ModelFault` that is raised inside into a whole sentence.

    Any other error passes as it is. That includes `ModelLoadError`, whose sentence is whole already: that of a
    plugin, say, or of an inner `about`.

    Args:
        subject: of the sentence: a file, which is named by its last part in quotation marks, or words that fit
            before a verb, e.g. "MaskModel in my_model.py".
        config_name: of the file that a fault calls `its model.toml`, e.g. "my_model.toml"; None: it stays so.

    Raises:
        ModelLoadError: the sentence.
    """
    try:
        yield
    except ModelFault as fault:
        name = subject if isinstance(subject, str) else f"'{subject.path.name}'"
        text = str(fault) if config_name is None else str(fault).replace(ITS_CONFIG, config_name)
        raise ModelLoadError(f"{name} {text}") from fault.__cause__
