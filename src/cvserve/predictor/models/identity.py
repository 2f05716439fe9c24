"""The version of a model: one hash over all that decides what it answers.

A file that needs nothing beside it has the hash that `sha256sum` prints. Where `model.toml`, arguments, weights, other
files or the name of a class decide as well, they are hashed with it: what answers differently has another version.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cvserve.predictor.models.config.read import ModelConfig
from cvserve.predictor.models.files.file import ModelFile, with_parts
from cvserve.predictor.models.input_spec import InputSpec
from cvserve.predictor.models.resolve import ModelFacts
from cvserve.predictor.prediction import ModelInfo

# How a model is called changes no answer.
_IDLE_KEYS = ("name",)


def make_info(facts: ModelFacts, config: ModelConfig, file: ModelFile, preparation: object) -> ModelInfo:
    """Name, version and format of a model.

    Args:
        facts: what the file says of itself.
        config: its `model.toml` and its labels.
        file: with the parts that were read beside it.
        preparation: as for `identify_model`.
    """
    name = config.values.get("name", facts.name or file.path.stem)
    variant = {**facts.variant, **({"precision": "half"} if facts.half else {})}
    sha256 = identify_model(with_parts(file, facts.parts), config, preparation, variant)
    return ModelInfo(name, sha256, facts.format, facts.device)


def identify_model(
    file: ModelFile, config: ModelConfig, preparation: object, variant: Mapping[str, str] | None = None
) -> str:
    """Make the hash of which a version is the beginning.

    Args:
        file: with the parts that were read beside it.
        config: its `model.toml` and its labels.
        preparation: an `InputSpec` counts with all its values; of any other only what `model.toml` says counts.
        variant: what else was chosen, e.g. `{"class": "DigitNet"}` or `{"precision": "half"}`.

    Returns:
        64 hex digits: the hash of the file where there is nothing but the file.
    """
    said = {key: value for key, value in config.values.items() if key not in _IDLE_KEYS}
    if not (said or variant or file.parts):
        return file.code_sha256
    document: dict[str, Any] = {
        "file": file.code_sha256,
        "parts": sorted(file.parts),
        "variant": dict(variant or {}),
        "said": {key: value for key, value in said.items() if not key.startswith("input.")},
        "input": {key: value for key, value in said.items() if key.startswith("input.")},
    }
    if isinstance(preparation, InputSpec):
        document["input"] = _describe_input(preparation)
    text = json.dumps(document, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _describe_input(spec: InputSpec) -> dict[str, Any]:
    """Its values but for the defaults: a field that a later cvserve adds changes no version by being there."""
    return {
        part.name: getattr(spec, part.name)
        for part in dataclasses.fields(spec)
        if getattr(spec, part.name) != part.default
    }
