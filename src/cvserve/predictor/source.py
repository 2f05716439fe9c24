"""Which model is loaded, and how: the one set of names for settings, library, commands and worker processes."""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

from cvserve.predictor.images.limits import Limits
from cvserve.predictor.trial import DEFAULT_LIMIT_S

if TYPE_CHECKING:
    from cvserve.settings import Settings

# The first answer takes longer than all that follow: code is compiled, memory is filled.
_MIN_TRIAL_S, _TRIAL_TIMES = 60.0, 2
AnyPath = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Everything that decides how a model is loaded; immutable, and quick to import (no NumPy, no Pillow).

    A new setting of this kind: a field of `Settings`, a field here with its line in `of`, and the place that reads it.

    Attributes:
        path: a model file; a class as `my_model.py:MaskModel` or `package.module:MaskModel`; None: the built-in
            model for one digit.
        weights: file for a class: the state dict of a PyTorch module, or a file or folder that the class reads.
        config: a `model.toml` that is read instead of the one beside the model.
        sha256: load only if the file has this hash, 64 hex digits; it also counts as trust.
        trust_types: names of types outside of scikit-learn that a skops file may hold.
        compile: whether a scikit-learn estimator runs as ONNX: `auto`: where that gives the same answers and the
            extra `onnx` is installed; `never`; `require`: it is an error otherwise.
        device: where it computes, as `devices.parse_device` reads it; `auto`: on CUDA where the model's library and the
            machine have it, else on the CPU.
        half: compute in half precision.
        trust: run the code that a pickle may hide.
        named_by_file: whether `.env` or `cvserve.toml` named `path`. A class that a person names is code run on
            purpose; a folder with such a file may be a stranger's, so a class that it names needs trust as a
            pickle does.
        limits: what a picture may be.
        trial_s: seconds that the model has for its first answer, when it is loaded.
        max_batch_size: pictures that it is given at once, at most; on a device it is warmed up for so many.
    """

    path: AnyPath | None = None
    _: KW_ONLY
    weights: AnyPath | None = None
    config: AnyPath | None = None
    sha256: str | None = None
    trust_types: tuple[str, ...] = ()
    compile: str = "auto"
    device: str = "auto"
    half: bool = False
    trust: bool = False
    named_by_file: bool = False
    limits: Limits = Limits()
    trial_s: float = DEFAULT_LIMIT_S
    max_batch_size: int = 64

    @classmethod
    def of(cls, settings: "Settings") -> "ModelSource":
        """The source that the settings name."""
        return cls(
            settings.model,
            weights=settings.weights,
            config=settings.model_config,
            sha256=settings.model_sha256,
            trust_types=settings.trust_type,
            compile=settings.compile,
            device=settings.device,
            half=settings.half,
            named_by_file=settings.model_named_by_file,
            limits=Limits(
                max_pixels=settings.max_pixels, formats=settings.formats, max_decode_s=settings.decode_timeout
            ),
            trial_s=max(_MIN_TRIAL_S, _TRIAL_TIMES * settings.predict_timeout),
            max_batch_size=settings.max_batch_size,
        )

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "ModelSource":
        """The source that `to_json` described in another process."""
        limits = Limits(**{**document["limits"], "formats": tuple(document["limits"]["formats"])})
        return cls(**{**document, "trust_types": tuple(document["trust_types"]), "limits": limits})

    def to_json(self) -> dict[str, Any]:
        """The source in what JSON can say, for another process; `from_json` reads it."""
        fields = dataclasses.asdict(self)
        return {key: os.fspath(value) if isinstance(value, os.PathLike) else value for key, value in fields.items()}
