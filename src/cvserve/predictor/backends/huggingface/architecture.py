"""The class of a model and its configuration, out of `config.json`: data that chooses among classes of transformers."""

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from cvserve.predictor.backends.huggingface.layer_counts import check_layer_counts
from cvserve.predictor.backends.huggingface.library import take_class
from cvserve.predictor.models.fault import ModelFault
from cvserve.texts import list_some, to_one_line

# Keys that name code, or make transformers convert weights by another library
_REFUSED = {
    "auto_map": "names code of its own",
    "quantization_config": "has quantized weights",
    "trust_remote_code": "asks for code of its own to be run",
}
# What a configuration has for every class; the rest says how transformers runs it, and is its own to say.
_COMMON = ("id2label", "label2id", "num_labels", "problem_type")
# Classifiers of transformers that answer in words, or take pictures as tokens
_OTHERS = ("shieldgemma2", "imagegpt", "timm_wrapper")
_MAX_SHOWN = 60


class Architecture(NamedTuple):
    """What `config.json` chooses.

    Attributes:
        model_class: an image classifier of transformers.
        config: its configuration.
        model_type: transformers' word for the family, e.g. `vit`.
    """

    model_class: Any
    config: Any
    model_type: str


def choose_architecture(transformers: Any, says: Mapping[str, Any]) -> Architecture:
    """The class and configuration that a folder names; nothing but transformers' own image classifiers.

    Args:
        transformers: the library.
        says: what stands in `config.json`.

    Raises:
        ModelFault: it names code of its own, is no image classifier, has more layers or
            classes than any network, or transformers does not take it.
    """
    refuse_code(says, "config.json")
    name = _choose_class(says)
    auto = importlib.import_module("transformers.models.auto.configuration_auto")
    model_type = str(says["model_type"])
    model_class = take_class(transformers, name)
    config_class = auto.CONFIG_MAPPING[model_type]
    kept = _keep_own(config_class, says)
    check_layer_counts(kept)
    try:
        config = config_class(**kept)
    except Exception as error:  # each class checks its values in its own way
        raise ModelFault(
            f"has a config.json that {name} of transformers {transformers.__version__} does not take "
            f"({type(error).__name__}); was it saved by a newer version, or changed by hand?"
        ) from None
    config.return_dict = True
    return Architecture(model_class, config, model_type)


def refuse_code(says: Mapping[str, Any], name: str) -> None:
    """Refuse a file that names code, or weights of another library.

    Args:
        says: what stands in it.
        name: of the file.

    Raises:
        ModelFault: it does.
    """
    for key, does in _REFUSED.items():
        if says.get(key):
            raise ModelFault(
                f"{does} ({key} in {name}), and cvserve runs none of a folder; load it in a class of your own, "
                "my_model.py:MyModel, or export it to ONNX."
            )


def _choose_class(says: Mapping[str, Any]) -> str:
    names = importlib.import_module("transformers.models.auto.modeling_auto")
    model_type, wanted = says.get("model_type"), says.get("architectures")
    if not isinstance(model_type, str):
        raise ModelFault(
            "has a config.json without model_type, so it was not saved by transformers; save the model with "
            "model.save_pretrained, or export it to ONNX."
        )
    known = names.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES.get(model_type, ())
    known = (known,) if isinstance(known, str) else tuple(known)
    named = wanted[0] if isinstance(wanted, list) and wanted else None
    if named is None and known:
        named = known[0]
    if named not in known or model_type in _OTHERS:
        shown = to_one_line(str(named or model_type), _MAX_SHOWN)
        instead = f" ({list_some(known, 1)} is one)" if known and model_type not in _OTHERS else ""
        raise ModelFault(
            f"is of the class {shown}, no image classifier of transformers that gives a score for each class{instead}; "
            "fine-tune it as one, or serve it by a class of your own: my_model.py:MyModel."
        )
    return str(named)


def _keep_own(config_class: Any, says: Mapping[str, Any]) -> dict[str, Any]:
    """Of what stands there, the fields that the class has itself, in it and in the configurations inside of it.

    How transformers runs a model (which kernels, from which repository; which backbone of the hub) is no part of it.
    """
    base = {field.name for field in dataclasses.fields(importlib.import_module("transformers").PreTrainedConfig)}
    own = {field.name for field in dataclasses.fields(config_class)} - base
    own |= set(config_class.attribute_map)
    kept = {key: value for key, value in says.items() if key in _COMMON or (key in own and not key.startswith("_"))}
    for key, inner in config_class.sub_configs.items():
        if isinstance(kept.get(key), dict):
            kept[key] = _keep_own(inner, kept[key])
    return kept
