"""Models of timm by name, with the weights of a checkpoint: `timm:resnet18.a1_in1k`.

Size, crop and normalisation are those that timm has for the name, the number of classes is that of the weights.
Nothing is downloaded. Needs timm, so that this module is imported when such a name comes.
"""

from functools import partial
from pathlib import Path
from typing import Any

import timm

from cvserve.predictor.backends.downloads import refuse_downloads
from cvserve.predictor.backends.timm.arguments import reads_weights
from cvserve.predictor.backends.timm.labels import find_labels
from cvserve.predictor.backends.torch.module import MadeModule, load_module
from cvserve.predictor.contract import LoadedModel
from cvserve.predictor.models.code.trust import require_trust
from cvserve.predictor.models.config.place import find_config_place
from cvserve.predictor.models.config.presets import expand_preset
from cvserve.predictor.models.config.read import ModelConfig, read_config
from cvserve.predictor.models.fault import ModelFault, about
from cvserve.predictor.models.files.file import check_sha256, read_model_file, read_weights, with_weights
from cvserve.predictor.source import ModelSource
from cvserve.predictor.user_code import explain_errors
from cvserve.texts import did_you_mean, list_some

_PREFIX = "timm:"
_FOLDER = Path(timm.__file__).parent
_ARGUMENTS, _CLASSES = "model.args", "num_classes"
# One's own, which takes the place of all other keys of [input]
_TRANSFORM = "input.transform"
_MAX_SHOWN = 8


def load_timm(name: str, source: ModelSource) -> LoadedModel:
    """Make a model of timm, put the weights in, and try it on a picture.

    Args:
        name: of the model, with or without the tag of its pretrained weights.
        source: that names the model; its `weights` are needed. A model that a person names is trusted, one that a
            file of settings names needs `trust` or `sha256`, which is that of `timm/__init__.py`.

    Raises:
        InvalidSetting: `sha256` is no hash.
        ModelLoadError: timm has no such model, there are no weights, or they do not fit.
        UntrustedModel: a file of settings named it, and nobody vouched for it.
    """
    code = read_model_file(_FOLDER / "__init__.py")
    if source.sha256 is not None:
        check_sha256(code, source.sha256)
    require_trust(code, trust=source.trust or not source.named_by_file, sha256=source.sha256)
    with about(f"{_PREFIX}{name}"):
        _check_name(name)
        named = f"{_PREFIX}{name}"
        config = read_config(find_config_place(named, code.path), source.config, named=named)
        _check_arguments(config)
        if source.weights is None:
            raise ModelFault(
                "has random weights, since nothing is downloaded; add your own: --weights best.safetensors"
            )
        weights = read_weights(source.weights)
        with refuse_downloads():
            made = _make(name, config.values.get(_ARGUMENTS, {}))
            return load_module(made, weights, config, with_weights(code, weights), source)


def _check_name(name: str) -> None:
    known = timm.list_models() + timm.list_pretrained()
    # Old names are models without being listed.
    if name in known or ("." not in name and timm.is_model(name)):
        return
    near = [entry for entry in known if name.partition(".")[0] in entry]
    hint = did_you_mean(name, known)
    raise ModelFault(
        f"is no model of timm {timm.__version__}; "
        + (hint or (f"it has {list_some(near, _MAX_SHOWN)}." if near else "timm.list_models() gives all names."))
    )


def _check_arguments(config: ModelConfig) -> None:
    for argument in config.values.get(_ARGUMENTS, {}):
        if reads_weights(argument):
            raise ModelFault(
                f"takes its weights by --weights only; remove {argument} from [model] args in {config.file_name}."
            )


def _make(name: str, arguments: dict[str, Any]) -> MadeModule:
    def make(**more: Any) -> Any:
        with explain_errors("timm.create_model", _FOLDER):
            return timm.create_model(name, pretrained=False, **arguments, **more)

    return MadeModule(
        make(),
        name,
        f"{_PREFIX}{name}",
        _FOLDER,
        {"class": f"{_PREFIX}{name}", "timm": timm.__version__},
        make_for=None if _CLASSES in arguments else lambda classes: make(**{_CLASSES: classes}),
        complete=partial(_complete, name),
    )


def _complete(name: str, config: ModelConfig, module: Any) -> ModelConfig:
    """The config with what timm knows of the name, where the config does not say it."""
    if _TRANSFORM not in config.values:
        side = config.values.get(_ARGUMENTS, {}).get("img_size")
        if isinstance(side, int):
            config = config.fill({"input.size": (side, side)}, "model.toml")
        config = config.fill(_read_input(name, config, module), "timm")
    labels = find_labels(module)
    return config if labels is None else config.fill({"labels": labels}, "timm")


def _read_input(name: str, config: ModelConfig, module: Any) -> dict[str, Any]:
    """What timm knows of the pictures, beside what the config says of them."""
    values = {**config.values, "input.preset": f"{_PREFIX}{name}"}
    try:
        expand_preset(values, {})
    except ModelFault:  # a crop that [input] cannot say: its size at least is known
        _, height, width = module.pretrained_cfg["input_size"]
        return {"input.size": (width, height)}
    return values
