"""How pictures are prepared for a model: by the values of `[input]`, or by the transform that it names."""

import importlib
from typing import NamedTuple

from cvserve.predictor.contract import Preparation
from cvserve.predictor.models.code.transforms import TRANSFORM, find_transform
from cvserve.predictor.models.config.read import ModelConfig
from cvserve.predictor.models.files.file import ModelFile, with_parts
from cvserve.predictor.models.resolve import InputFacts, Origins, resolve_input

# It runs Python files, which few models need, and those that have a class know this module.
_TRANSFORM_LOADER = "cvserve.predictor.backends.python.transform"
_DTYPE = "float32"


class MadePreparation(NamedTuple):
    """What `[input]` of a `model.toml` comes to.

    Attributes:
        preparation: from a picture to an array.
        origins: where each of its values came from.
        file: of the model; the code of a transform is a part of it.
    """

    preparation: Preparation
    origins: Origins
    file: ModelFile


def make_preparation(
    facts: InputFacts, config: ModelConfig, file: ModelFile, *, layout: str | None = "NCHW"
) -> MadePreparation:
    """The preparation that a `model.toml` asks for.

    Args:
        facts: what the file says of the pictures that it takes.
        config: its `model.toml`, which overrides the file.
        file: of the model.
        layout: of the array of a transform where the file says none; None: as the transform gives it.

    Raises:
        ModelLoadError: file and config contradict each other, the size of the pictures is known from neither, or
            there is a mistake in the transform.
        UntrustedModel: nobody vouches for the transform.
    """
    code = find_transform(config)
    if code is None:
        spec, origins = resolve_input(facts, config, file)
        return MadePreparation(spec, origins, file)
    said = {**facts.defaults, **facts.said}
    loader = importlib.import_module(_TRANSFORM_LOADER)
    preparation: Preparation = loader.load_transform(code, said.get("layout", layout), said.get("dtype", _DTYPE))
    value = config.values[TRANSFORM]
    parts = [(f"transform {value}", code.file.code_sha256)]
    return MadePreparation(preparation, {TRANSFORM: (value, config.origins[TRANSFORM])}, with_parts(file, parts))
