"""What a plugin needs to bring a model format of its own; `docs/plugins.md` walks through one.

[project.entry-points."cvserve.backends"]
linear = "cvserve_linear:plugin"

plugin = BackendPlugin(Kind("linear", "a linear model", (".linear",)), recognises, load)
"""

from collections.abc import Callable
from dataclasses import dataclass

from cvserve.errors import ModelLoadError
from cvserve.predictor.contract import Backend, Inferred
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.formats.kinds import Kind
from cvserve.predictor.models.resolve import ModelFacts

__all__ = ["Backend", "BackendPlugin", "Inferred", "Kind", "ModelFacts", "ModelFile", "ModelLoadError"]


@dataclass(frozen=True)
class BackendPlugin:
    """One model format.

    Attributes:
        kind: its name, and whether code can hide in it: then it is loaded only when it is trusted. The names of
            cvserve's own formats are taken.
        recognises: whether these bytes are of this format. It is asked about every file that cvserve cannot serve
            by itself, so it looks at the first bytes, imports nothing heavy and raises nothing.
        load: the model. It may import what it needs; for a file that it cannot use it raises `ModelLoadError` with
            one sentence for people that names the file and the way out.
    """

    kind: Kind
    recognises: Callable[[bytes], bool]
    load: Callable[[ModelFile], ModelFacts]
