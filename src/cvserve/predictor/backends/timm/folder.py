"""Folders of timm, as its models lie on the hub: `config.json` with an architecture, and its weights.

The architecture is a name in timm's own table, and everything else is data. Needs timm, so that this module is
imported when such a folder comes.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import timm
from timm.data import resolve_data_config

from cvserve.predictor.backends.downloads import refuse_downloads
from cvserve.predictor.backends.huggingface.layer_counts import check_layer_counts
from cvserve.predictor.backends.huggingface.weights import check_numbers, read_weights
from cvserve.predictor.backends.probe.model import make_model
from cvserve.predictor.backends.timm.arguments import reads_weights
from cvserve.predictor.backends.timm.labels import find_labels
from cvserve.predictor.backends.torch.device import choose_placement
from cvserve.predictor.backends.torch.library import import_torch
from cvserve.predictor.backends.torch.module import make_facts
from cvserve.predictor.backends.torch.state import find_state
from cvserve.predictor.backends.torch.weights import put_weights
from cvserve.predictor.contract import LoadedModel
from cvserve.predictor.models.config.read import ModelConfig
from cvserve.predictor.models.config.timm_input import TIMM_INPUT, describe_timm_input
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.files.folder import ModelFolder
from cvserve.predictor.source import ModelSource
from cvserve.texts import to_one_line

# Of the configuration of a model, what says how it is built and fed; the rest says where its weights may be fetched.
_OF_MODEL = ("input_size", "fixed_input_size", "num_classes", "pool_size", "first_conv", "classifier")
# What `AutoModel` of transformers writes before each name
_WRAPPER = "timm_model."
# How the tags of weights end that were trained last with a list of classes that timm knows
_OF_IMAGENET = ("_in1k", "_in12k", "_in21k", "_in22k")
_MAX_SHOWN = 60


def load_timm_folder(folder: ModelFolder, config: ModelConfig, source: ModelSource) -> LoadedModel:
    """Load a folder of `timm.models.save_for_hf`, or one of a model of timm on the hub.

    Args:
        folder: as it was read.
        config: its `model.toml`.
        source: says where the model computes.

    Raises:
        ModelFault: timm has no such model, or its weights, its arguments or its pictures are none.
        ModelLoadError: folder and config contradict each other.
    """
    torch, says = import_torch(), folder.read_json("config.json")
    placement = choose_placement(torch, source)
    name, prepared = _choose_name(says), _describe_pictures(says)
    state = {key.removeprefix(_WRAPPER): tensor for key, tensor in read_weights(torch, folder).items()}
    with refuse_downloads():
        make = partial(_make, name, says)
        check_numbers(torch, name, make, state)
        module = make()
    put_weights(module, find_state(torch, state, module.state_dict(), None, "its weights"), "its weights")
    facts = make_facts(placement, placement.place(module).eval(), extra={"class": f"timm:{name}"}, name=folder.name)
    labels = _read_labels(says, module.num_classes) or (find_labels(module) if _is_of_imagenet(says) else None)
    return make_model(replace(facts, suggested=prepared, labels=labels), config, folder)


def _choose_name(says: Mapping[str, Any]) -> str:
    name = says.get("architecture")
    if not isinstance(name, str) or name not in timm.list_models():
        raise ModelFault(
            f"is of the architecture {to_one_line(str(name), _MAX_SHOWN)}, which timm {timm.__version__} does not "
            "have; was it saved by a newer version?"
        )
    return name


def _make(name: str, says: Mapping[str, Any]) -> Any:
    own, given = says.get("pretrained_cfg"), says.get("model_args")
    cfg = {key: own[key] for key in _OF_MODEL if key in own} if isinstance(own, dict) else {}
    arguments = {key: says[key] for key in ("num_classes", "global_pool") if key in says}
    arguments |= {
        key: value for key, value in (given if isinstance(given, dict) else {}).items() if not reads_weights(key)
    }
    check_layer_counts(arguments)
    try:
        return timm.create_model(name, pretrained=False, pretrained_cfg_overlay=cfg, **arguments)
    except ModelFault:  # of too many layers
        raise
    except Exception as error:  # each model checks its arguments in its own way
        raise ModelFault(
            f"has a config.json with which timm {timm.__version__} makes no {name} ({type(error).__name__}); was it "
            "saved by a newer version, or changed by hand?"
        ) from None


def _describe_pictures(says: Mapping[str, Any]) -> dict[str, Any]:
    """What timm's `create_transform` makes of the configuration, in the words of `[input]`."""
    own = says.get("pretrained_cfg")
    cfg = own if isinstance(own, dict) else says  # older folders have all in one object
    data = resolve_data_config({}, pretrained_cfg={key: cfg[key] for key in TIMM_INPUT if key in cfg} or {"mean": ()})
    try:
        return describe_timm_input(data)
    except ValueError:
        raise ModelFault(
            "has a pretrained_cfg in config.json that describes pictures which [input] cannot make (input_size, "
            "crop_mode, interpolation, mean, std); serve it by its class: --model timm:NAME --weights FILE."
        ) from None


def _is_of_imagenet(says: Mapping[str, Any]) -> bool:
    """Whether the tag of its weights says so, such as `a1_in1k`: a folder of 1,000 classes may be of other ones."""
    own = says.get("pretrained_cfg")
    tag = str(own.get("tag", "")) if isinstance(own, dict) else ""
    return tag.endswith(_OF_IMAGENET)


def _read_labels(says: Mapping[str, Any], classes: int) -> tuple[str, ...] | None:
    """Names of the classes; None when the folder has none, or none for some of them."""
    names, words = says.get("label_names", says.get("labels")), says.get("label_descriptions")
    if isinstance(names, dict):
        names = [names.get(str(index)) for index in range(classes)]
    if not isinstance(names, list) or len(names) != classes or not all(isinstance(name, str) for name in names):
        return None
    described = words if isinstance(words, dict) else {}
    labels = tuple(str(described.get(name, name)) for name in names)
    return labels if len(set(labels)) == len(labels) else tuple(names)
