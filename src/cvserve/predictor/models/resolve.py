"""What a model file says of itself, brought together with what `model.toml` says of it.

The file's word is the default, the config's overrides it, and where they contradict each other it is an error
that names both. What neither says and what changes the scores is marked as guessed.
"""

import dataclasses
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from numpy.typing import NDArray

from cvserve.errors import ModelLoadError
from cvserve.predictor.contract import Backend
from cvserve.predictor.models.config.conflicts import check_input, check_order, describe_doubled
from cvserve.predictor.models.config.read import ModelConfig
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.input_spec import InputSpec
from cvserve.predictor.models.origins import GUESSED, find_origin, find_shape_origin

# Fewer values than this are measurements (iris flowers have 4), not pixels, unless the config says otherwise.
_SMALLEST_SIDE_PX = 4
# What to write where nobody says what the pictures are.
SIZE_AND_MODE = '[input] size = [width, height] and mode = "L" or "RGB"'

# For each property, such as `input.size`, its value and where that came from: `file`, `model.toml`, `guessed`, …
Origins = dict[str, tuple[Any, str]]
# A batch of one prepared picture and the kind of scores asked for (None: the best there is)
# -> the backend and the kind that it gives (None: seen from its scores).
Connect = Callable[[NDArray[Any], str | None], tuple[Backend, str | None]]
# Name or index of one of several outputs -> connect for that one.
Pick = Callable[[str | int], Connect]
# What the backend raised for a batch -> what is wrong with the model, as a predicate: "fails on …".
DescribeFailure = Callable[[BaseException, NDArray[Any]], str]


class InputFacts(NamedTuple):
    """What a file says of the pictures that it takes; by default nothing.

    Attributes:
        said: fields of `InputSpec` that the file says.
        defaults: fields that suit it when nobody says otherwise.
        guessed: fields that the file leaves open although they change the scores.
        features: values in one picture, None when the file does not say.
        suggested: fields that the file says by a convention of its maker; `model.toml` may say otherwise.
        pixel_steps: as `ModelFacts` has it.
    """

    said: Mapping[str, Any] = {}
    defaults: Mapping[str, Any] = {}
    guessed: tuple[str, ...] = ()
    features: int | None = None
    suggested: Mapping[str, Any] = {}
    pixel_steps: str | None = None


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
        suggested: fields of `InputSpec` that the file says by a convention of its maker, e.g. how pictures are
            cropped; `model.toml` may say otherwise, where what contradicts `input` is an error.
        extra: for people, e.g. `{"estimator": "SVC"}`.
        name: of the model; None: the file's stem.
        title: what sentences about the model begin with; None: the file's name in quotation marks.
        describe_failure: finds the words for what the backend raises when it is tried; None: its type is named.
        variant: what was chosen beside the files and decides the answers, e.g. `{"class": "DigitNet"}`; part of the
            model's version.
        pick: `connect` for the output that `[output] use` names; None: there is one output. It, or the backend it
            leads to, raises a `ModelFault` for an output that there is not.
        parts: what else was read for the model, as `ModelFile.parts` has it: another of them is another model.
        unknown_below: the score under which the best class is none, as the model itself says; None: it says nothing.
        device: on which it computes: `cpu`, `cuda:0`, …
        half: whether it computes in half precision because `--half` asks for it.
        pixel_steps: what the model does with pixels by itself, "divides by 255"; `suggested` has the `scale`,
            `mean` and `std` that go with that, and a config with others gets a warning. None: it cannot be seen.
    """

    format: str
    connect: Connect
    features: int | None = None
    labels: tuple[str, ...] | None = None
    input: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    guessed: tuple[str, ...] = ()
    suggested: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    title: str | None = None
    describe_failure: DescribeFailure | None = None
    variant: Mapping[str, str] = field(default_factory=dict)
    pick: Pick | None = None
    parts: tuple[tuple[str, str], ...] = ()
    unknown_below: float | None = None
    device: str = "cpu"
    half: bool = False
    pixel_steps: str | None = None

    @property
    def input_facts(self) -> InputFacts:
        """What of it is about the pictures."""
        return InputFacts(self.input, self.defaults, self.guessed, self.features, self.suggested, self.pixel_steps)


def title_of(facts: ModelFacts, file: ModelFile) -> str:
    """What sentences about a model begin with."""
    return facts.title or f"'{file.path.name}'"


def resolve_labels(facts: ModelFacts, config: ModelConfig, file: ModelFile) -> tuple[str, ...] | None:
    """Names of the classes: the config's, else the file's, else None.

    Raises:
        ModelLoadError: both have labels, but another number of them, or the same in another order.
    """
    said: tuple[str, ...] | None = config.values.get("labels")
    if said is None or facts.labels is None:
        return said or facts.labels
    if len(said) != len(facts.labels):
        raise label_mismatch(config, title_of(facts, file), len(facts.labels))
    check_order(said, config.labels_source, facts.labels, file.path.name)
    return said


def label_mismatch(config: ModelConfig, title: str, classes: int) -> ModelLoadError:
    """The error for a config with another number of labels than the model has classes.

    Args:
        config: that has the labels.
        title: of the model.
        classes: that it knows.
    """
    return ModelLoadError(
        f"{config.labels_source} has {len(config.values['labels'])} labels, but {title} knows {classes} classes; "
        "write one label for each class, in the order of their indices."
    )


def resolve_input(facts: InputFacts, config: ModelConfig, file: ModelFile) -> tuple[InputSpec, Origins]:
    """How a picture becomes an array, and where each value of that came from, by `input.` and its name.

    Raises:
        ModelLoadError: file and config contradict each other.
        ModelFault: the size of the pictures is known from neither; to be used in `about(…)`.
    """
    config = config.yield_preset(facts.said)
    said = {key.removeprefix("input."): value for key, value in config.values.items() if key.startswith("input.")}
    for key, value in facts.said.items():
        if said.get(key, value) != value:
            raise ModelLoadError(
                f"{config.file_name} says {key} = {said[key]!r}, but '{file.path.name}' takes {value!r}; "
                f"remove {key} from {config.file_name}."
            )
    shape = _resolve_size_and_mode(facts, said, config.file_name)
    spec = InputSpec(**{**facts.defaults, **facts.suggested, **facts.said, **shape, **said})
    doubled = None
    if facts.pixel_steps is not None:
        takes = f"'{file.path.name}' {facts.pixel_steps} itself"
        origins = {key.removeprefix("input."): origin for key, origin in config.origins.items()}
        doubled = describe_doubled(spec, facts.suggested, origins, takes, config.file_name)
    check_input(spec, tuple(said), config.file_name, doubled)
    if doubled is not None:  # what the graph does was concluded, and the user may know better
        logging.getLogger("cvserve").warning("%s", doubled)
    return spec, _find_origins(facts, config, spec, shape)


def _find_origins(facts: InputFacts, config: ModelConfig, spec: InputSpec, shape: Mapping[str, Any]) -> Origins:
    """Value and origin of each field; `shape` is what was worked out by ourselves."""
    said = {key.removeprefix("input."): value for key, value in config.values.items()} | dict(facts.said)
    origins: Origins = {}
    for part in (part for part in dataclasses.fields(spec) if part.name not in spec.idle):
        name, key = part.name, f"input.{part.name}"
        if key in config.origins:
            origin = config.origins[key]
        elif name in facts.suggested:
            origin = "file"
        elif name in facts.guessed:
            origin = GUESSED
        elif name in shape and name not in said:
            origin = find_shape_origin(name, spec.mode, said, facts.features)
        else:
            origin = find_origin(name, spec, said, facts.defaults)
        origins[key] = (getattr(spec, name), origin)
    return origins


def _resolve_size_and_mode(facts: InputFacts, said: dict[str, Any], toml: str) -> dict[str, Any]:
    """Size and mode, where they were not said, from the number of values in one picture."""
    said = {**facts.suggested, **facts.said, **said}
    size, mode, features = said.get("size"), said.get("mode"), facts.features
    if features is None and size is not None:
        return {"size": size, "mode": mode or InputSpec(size).mode}
    found = _find_size_and_mode(features, size, mode) if features is not None else None
    if found is not None:
        return found
    if size is None:
        says = "does not say how large its pictures are"
        if features is not None:
            of_mode = f' of mode "{mode}"' if mode else ""
            says = f"takes {features} values, which make no square picture{of_mode}"
        raise ModelFault(f"{says}; write into {toml}: {SIZE_AND_MODE}.")
    pixels = size[0] * size[1]
    gives = f"{InputSpec(size, mode).features}" if mode else f"{pixels} (grey) or {3 * pixels} (colour)"
    raise ModelFault(
        f"takes {features} values, but [input] in {toml} gives {gives}: {size[0]} by {size[1]} "
        f"pixels{f' of mode {mode}' if mode else ''}; correct size or mode."
    )


def _find_size_and_mode(features: int, size: tuple[int, int] | None, mode: str | None) -> dict[str, Any] | None:
    """The size and mode that make up `features` values and agree with what was said; None when none do."""
    for candidate in (mode,) if mode else ("L", "RGB"):
        channels = 1 if candidate == "L" else 3
        side = math.isqrt(features // channels)
        guess = size or (side, side)
        if guess[0] * guess[1] * channels == features and (size or side >= _SMALLEST_SIDE_PX):
            return {"size": guess, "mode": candidate}
    return None
