"""What `model.toml` says about a class: read when the class is used by itself, `MaskModel()`, and first asked for it.

It then has the same name, version, labels and preparation as `Predictor.load("my_model.py:MaskModel")` gives it. A
loader, which may have been given another `model.toml`, hands over what it has read: `hand_over`.
"""

import hashlib
import inspect
import os
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from cvserve.errors import ModelLoadError
from cvserve.predictor.backends.preparation import MadePreparation, make_preparation
from cvserve.predictor.contract import Preparation
from cvserve.predictor.models.code.transforms import run_on_purpose
from cvserve.predictor.models.config.keys import check_labels
from cvserve.predictor.models.config.read import ModelConfig, read_config
from cvserve.predictor.models.fault import about
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.files.imports import find_imports
from cvserve.predictor.models.formats.kinds import PYTHON
from cvserve.predictor.models.identity import identify_model
from cvserve.predictor.models.resolve import InputFacts
from cvserve.predictor.prediction import ModelInfo
from cvserve.predictor.steps import Steps

_CVSERVE_FOLDER = Path(__file__).parents[3]
_UNKNOWN_SHA256 = "0" * 64
# Attributes of a class that `model.toml` overrides, and what they are called there.
_KEYS = {"labels": "labels", "scores": "output.scores", "unknown_below": "output.unknown_below"}


class ClassConfig(NamedTuple):
    """The Python file of a class, and the `model.toml` that belongs to it.

    Attributes:
        file: for its name and hash.
        config: of the `model.toml` beside the file, or of the one that a loader was given.
        variant: for the model's version, as `ModelFacts` has it.
    """

    file: ModelFile
    config: ModelConfig
    variant: Mapping[str, str]


class Overridden:
    """An attribute of a class that its `model.toml` overrides: the file is read when an object is first asked for it.

    On the class it is what the class says, so that `MaskModel.labels` stays what was written there. What `model.toml`
    says is from the first look on a plain attribute of the object, and so is what the object assigns to it.

    Args:
        name: of the attribute.
        stated: what stands in the class: a value, or a property or the like that gives one.
    """

    def __init__(self, name: str, stated: Any) -> None:
        self._name = name
        self.stated = stated

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return _bind(self.stated, None, owner)
        configured = _look_up(instance, self._name)
        if configured is None:
            return _bind(self.stated, instance, owner)
        vars(instance)[self._name] = configured
        return configured


class ConfiguredSteps(Steps):
    """The steps of a class, and what its `model.toml` says about it.

    Attributes:
        model_format: for `info`.
    """

    model_format: ClassVar[str] = "python"

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in _KEYS:
            stated = inspect.getattr_static(cls, name)
            if not isinstance(stated, Overridden) and not _has_setter(stated):
                setattr(cls, name, Overridden(name, stated))

    @cached_property
    def _class_config(self) -> ClassConfig | None:
        """The class's file and its `model.toml`; None when the class has no file, as in a notebook."""
        return read_class_config(type(self))

    @cached_property
    def info(self) -> ModelInfo:
        """Which model this is; its hash is 64 zeros where the class has no Python file."""
        found = self._class_config
        if found is None:
            return ModelInfo(name_of(self), _UNKNOWN_SHA256, self.model_format)
        made = self._made_preparation
        file, preparation = (found.file, None) if made is None else (made.file, made.preparation)
        sha256 = identify_model(file, found.config, preparation, found.variant)
        return ModelInfo(found.config.values.get("name", name_of(self)), sha256, self.model_format)

    @cached_property
    def _preparation(self) -> Preparation | None:
        return None if self._made_preparation is None else self._made_preparation.preparation

    @cached_property
    def _made_preparation(self) -> MadePreparation | None:
        found = self._class_config
        if found is None or not needs_input(self, found.config, found.file.path.name):
            return None
        # Whoever uses a class from Python has run the code of its folder.
        with about(found.file), run_on_purpose(trust=False, folder=found.file.path.parent):
            return make_preparation(InputFacts(), found.config, found.file, layout=None)

    def _read_config(self) -> None:
        """Read all that `model.toml` says, if that was not done.

        Raises:
            ModelLoadError: it cannot be used.
        """
        _ = self.info, self._preparation  # each is read when it is looked at
        # Set rather than looked at: labels that the class was given after its body have taken the place of its
        # `Overridden`, and a property may need what `setup` has yet to load.
        for name in _KEYS:
            configured = _look_up(self, name)
            if configured is not None and name not in vars(self):
                setattr(self, name, configured)


def _look_up(own: ConfiguredSteps, name: str) -> Any:
    """What `model.toml` says of an attribute; None when it says nothing."""
    found = own._class_config
    return None if found is None else found.config.values.get(_KEYS[name])


def _bind(stated: Any, instance: Any, owner: type | None) -> Any:
    """The value of what stands in a class: of a property and the like what it gives for an object, else itself."""
    return stated.__get__(instance, owner) if hasattr(stated, "__get__") else stated


def _has_setter(stated: Any) -> bool:
    """Whether to assign to the attribute is the class's own affair, as of a property with a setter."""
    is_read_only = isinstance(stated, property) and stated.fset is None
    return hasattr(stated, "__set__") and not is_read_only


def read_class_config(kind: type) -> ClassConfig | None:
    """What stands beside the module of a class; None when the class has no file, as in a notebook.

    Raises:
        ModelLoadError: `model.toml` cannot be used.
    """
    path = _source_of(kind)
    if path is None:
        return None
    data = path.read_bytes()  # it has run already: to ask who may replace it would be too late
    imports = find_imports(path, data)
    file = ModelFile(path, data, hashlib.sha256(data).hexdigest(), PYTHON, owner=0, mode=0, imports=imports)
    return ClassConfig(file, read_config(path), variant_of(kind.__name__))


def variant_of(name: str) -> dict[str, str]:
    """What was chosen of a Python file, for the model's version: a class or whatever has that name."""
    return {"class": name}


def hand_over(own: Any, file: ModelFile, config: ModelConfig, name: str) -> None:
    """Give an object the `model.toml` that its loader has read, so that it does not look for one itself.

    Args:
        own: an object of a user-defined class; one that is no `Predictor` reads nothing anyway.
        file: of its code, with its weights as a part.
        config: of its `model.toml`.
        name: by which it was found in the file.
    """
    if isinstance(own, Steps):
        vars(own)["_class_config"] = ClassConfig(file, config, variant_of(name))


def name_of(own: Any) -> str:
    """The attribute `name` of an object, else its class's name in lower case."""
    return str(getattr(own, "name", "") or type(own).__name__.lower())


def labels_of(own: Any, file_name: str) -> tuple[str, ...] | None:
    """The attribute `labels` of an object, whatever `model.toml` says; None when there is none.

    Raises:
        ModelLoadError: they cannot be used.
    """
    labels: Sequence[Any] | None = read_stated(own, "labels")
    if labels is None:
        return None
    with about(file_name):
        return check_labels("labels", [str(label) for label in labels])


def read_stated(own: Any, name: str) -> Any:
    """An attribute as the object or its class states it, whatever `model.toml` says; None when there is none.

    Raises:
        Exception: whatever a property of the class raises.
    """
    if not isinstance(own, ConfiguredSteps):
        return getattr(own, name, None)
    if name in vars(own) and vars(own)[name] is not _look_up(own, name):
        return vars(own)[name]
    stated = inspect.getattr_static(type(own), name)
    return _bind(stated.stated if isinstance(stated, Overridden) else stated, own, type(own))


def needs_input(own: Any, config: ModelConfig, file_name: str) -> bool:
    """Whether `[input]` prepares the pictures of an object.

    Raises:
        ModelLoadError: it does, and so does the object.
    """
    said = any(key.startswith("input.") for key in config.values)
    prepares_itself = own.prepares_itself if isinstance(own, Steps) else hasattr(own, "preprocess")
    if said and prepares_itself:
        raise ModelLoadError(
            f"{type(own).__name__} in {file_name} has a preprocess of its own, and {config.file_name} has [input]; "
            "keep one of the two."
        )
    return said or not hasattr(own, "preprocess")


def _source_of(kind: type) -> Path | None:
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if file is None or Path(file).is_relative_to(_CVSERVE_FOLDER) or not os.path.isfile(file):
        return None
    return Path(file) if file.endswith(".py") else None
