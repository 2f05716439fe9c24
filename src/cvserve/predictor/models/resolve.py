"""What a model file says of itself, brought together with what `model.toml` says of it.

The file's word is the default, the config's overrides it, and where they contradict each other it is an error
that names both. What neither says and what changes the scores is marked as guessed.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.errors import ModelLoadError
from cvserve.predictor.contract import Backend, LoadedModel, scores_of
from cvserve.predictor.models.file import ModelFile
from cvserve.predictor.models.input_spec import InputSpec
from cvserve.predictor.models.toml_conflicts import check_input, check_order
from cvserve.predictor.models.toml_read import ModelConfig
from cvserve.predictor.prediction import ModelInfo
from cvserve.predictor.scores import classes_in

# Without these a picture still gets an answer, only a wrong one, and nobody notices.
_GUESSED = ("resize", "scale")
_GREY = 127
# Fewer values than this are measurements (iris flowers have 4), not pixels, unless the config says otherwise.
_SMALLEST_SIDE_PX = 4

# A batch of one prepared picture and the kind of scores asked for (None: the best there is)
# -> the backend and the kind that it gives.
Connect = Callable[[NDArray[Any], str | None], tuple[Backend, str | None]]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a file says of itself.

    Attributes:
        format: for `ModelInfo.format`.
        connect: makes the backend once the input is known; raises ModelLoadError when it does not fit.
        features: values in one picture, None when the file does not say.
        labels: names of the classes, None when the file does not say.
        input: fields of `InputSpec` that the file says, e.g. `{"layout": "flat"}`.
        defaults: fields of `InputSpec` that suit the format when nobody says otherwise.
        guessed: fields of `InputSpec` that the file leaves open although they change the scores.
        extra: for people, e.g. `{"estimator": "SVC"}`.
        name: of the model; None: the file's stem.
    """

    format: str
    connect: Connect
    features: int | None = None
    labels: tuple[str, ...] | None = None
    input: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    guessed: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    name: str | None = None


def settle(facts: ModelFacts, config: ModelConfig, file: ModelFile) -> LoadedModel:
    """The model, ready to run.

    Raises:
        ModelLoadError: file and config contradict each other, the size of the pictures is known from neither,
            or the model fails on a grey picture.
    """
    name = config.values.get("name", facts.name or file.path.stem)
    origins: dict[str, tuple[Any, str]] = {"name": (name, config.origins.get("name", "default"))}
    for key, value in facts.extra.items():
        origins[key] = (value, "file")
    labels = _labels(facts, config, file)
    if labels is not None:
        origins["labels"] = (list(labels), config.origins.get("labels", "file"))
    spec = input_spec(facts, config, file, origins)
    grey = spec.prepare(Image.new("L" if spec.mode == "L" else "RGB", spec.size, (_GREY,) * spec.channels))
    backend, scores = facts.connect(grey[None], config.values.get("output.scores"))
    if facts.labels is None and labels is not None:
        _check_classes(backend, grey, labels, scores, config, file)
    if scores is not None:
        origins["output.scores"] = (scores, config.origins.get("output.scores", "file"))
    info = ModelInfo(name, file.sha256, facts.format)
    return LoadedModel(info, spec, backend, labels, scores, origins)


def _labels(facts: ModelFacts, config: ModelConfig, file: ModelFile) -> tuple[str, ...] | None:
    said: tuple[str, ...] | None = config.values.get("labels")
    if said is None or facts.labels is None:
        return said or facts.labels
    if len(said) != len(facts.labels):
        raise _other_count(len(said), len(facts.labels), config, file)
    check_order(said, config.labels_source, facts.labels, file.path.name)
    return said


def _check_classes(
    backend: Backend,
    grey: NDArray[Any],
    labels: tuple[str, ...],
    scores: str | None,
    config: ModelConfig,
    file: ModelFile,
) -> None:
    """Where only an answer tells how many classes there are, ask for one."""
    values = np.asarray(scores_of(backend.infer(grey[None])), dtype=np.float64)
    classes = classes_in(values, scores) if values.ndim == 2 else len(labels)  # `connect` has looked at them already
    if classes != len(labels):
        raise _other_count(len(labels), classes, config, file)


def _other_count(said: int, known: int, config: ModelConfig, file: ModelFile) -> ModelLoadError:
    return ModelLoadError(
        f"{config.labels_source} has {said} labels, but '{file.path.name}' knows {known} classes; "
        "write one label for each class, in the order of their indices."
    )


def input_spec(
    facts: ModelFacts, config: ModelConfig, file: ModelFile, origins: dict[str, tuple[Any, str]]
) -> InputSpec:
    """How a picture becomes an array, from both; where each value came from is put into `origins`.

    Raises:
        ModelLoadError: they contradict each other, or the size of the pictures is known from neither.
    """
    said = {key.removeprefix("input."): value for key, value in config.values.items() if key.startswith("input.")}
    for key, value in facts.input.items():
        if said.get(key, value) != value:
            raise ModelLoadError(
                f"{config.file_name} says {key} = {said[key]!r}, but '{file.path.name}' takes {value!r}; "
                f"remove {key} from {config.file_name}."
            )
    shape = _size_and_mode(facts, said, config, file)
    spec = InputSpec(**{**facts.defaults, **facts.input, **shape, **said})
    check_input(spec, tuple(said), config.file_name)
    derived = shape if facts.features is not None else {}
    for part in dataclasses.fields(spec):
        key = f"input.{part.name}"
        origin = "guessed" if part.name in (*_GUESSED, *shape) and part.name not in facts.defaults else "default"
        if part.name in facts.input or part.name in derived:
            origin = "file"
        if part.name in facts.guessed:
            origin = "guessed"
        origins[key] = (getattr(spec, part.name), config.origins.get(key, origin))
    return spec


def _size_and_mode(facts: ModelFacts, said: dict[str, Any], config: ModelConfig, file: ModelFile) -> dict[str, Any]:
    """Size and mode, where they were not said, from the number of values in one picture."""
    said = {**facts.input, **said}
    size, mode, features = said.get("size"), said.get("mode"), facts.features
    name, toml = file.path.name, config.file_name
    if features is None and size is not None:
        return {"size": size, "mode": mode or InputSpec(size).mode}
    found = _fitting(features, size, mode) if features is not None else None
    if found is not None:
        return found
    if size is None:
        says = "does not say how large its pictures are"
        if features is not None:
            of_mode = f' of mode "{mode}"' if mode else ""
            says = f"takes {features} values, which make no square picture{of_mode}"
        raise ModelLoadError(
            f'\'{name}\' {says}; write into {toml}: [input] size = [width, height] and mode = "L" or "RGB".'
        )
    pixels = size[0] * size[1]
    gives = f"{InputSpec(size, mode).features}" if mode else f"{pixels} (grey) or {3 * pixels} (colour)"
    raise ModelLoadError(
        f"'{name}' takes {features} values, but [input] in {toml} gives {gives}: {size[0]} by {size[1]} "
        f"pixels{f' of mode {mode}' if mode else ''}; correct size or mode."
    )


def _fitting(features: int, size: tuple[int, int] | None, mode: str | None) -> dict[str, Any] | None:
    """The size and mode that make up `features` values and agree with what was said; None when none do."""
    for candidate in (mode,) if mode else ("L", "RGB"):
        channels = 1 if candidate == "L" else 3
        side = math.isqrt(features // channels)
        guess = size or (side, side)
        if guess[0] * guess[1] * channels == features and (size or side >= _SMALLEST_SIDE_PX):
            return {"size": guess, "mode": candidate}
    return None
