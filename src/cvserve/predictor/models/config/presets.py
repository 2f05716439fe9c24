"""Whole `[input]` sections by name, so that no number is typed twice: `preset = "imagenet"`, `"timm:resnet18"`."""

from typing import Any

from cvserve.predictor.models.config.timm_input import TIMM_INPUT, describe_timm_input
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.input_spec import CROPS
from cvserve.predictor.models.library import import_library
from cvserve.texts import did_you_mean, list_some

# A framework decodes all of a JPEG, and whoever names one wants its answer.
_EXACT = {"mode": "RGB", "decode": "exact", "scale": 1 / 255}
_CROP = {**_EXACT, "resize": "crop"}
_HALF: dict[str, Any] = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
PRESETS: dict[str, dict[str, Any]] = {
    # torchvision, `ImageClassification(crop_size=224)`, the transforms of most of its weights.
    "imagenet": {
        **_CROP,
        "size": (224, 224),
        "crop_ratio": 0.875,
        "resample": "bilinear",
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
    },
    # OpenAI's CLIP and open_clip.
    "clip": {
        **_CROP,
        "size": (224, 224),
        "crop_ratio": 1.0,
        "resample": "bicubic",
        "mean": (0.48145466, 0.4578275, 0.40821073),
        "std": (0.26862954, 0.26130258, 0.27577711),
    },
    # Inception v3 and v4 with the weights of TensorFlow, as timm evaluates them.
    "inception": {**_CROP, "size": (299, 299), "crop_ratio": 0.875, "resample": "bicubic", **_HALF},
    # Values alone; size and resize are the model's own. Keras calls them modes "tf" and "caffe".
    "half": {**_EXACT, **_HALF},
    "caffe": {**_EXACT, "mode": "BGR", "scale": 1.0, "mean": (103.939, 116.779, 123.68), "std": (1.0,)},
}
# What an origin begins with.
PRESET = "preset"
_TIMM = "timm:"
_CROP_KEYS = ("crop_ratio", "short_side", "crop_rounding")
_MAX_KNOWN = 12


def find_preset(name: str) -> dict[str, Any]:
    """The fields of `InputSpec` that a preset stands for.

    Args:
        name: a key of `PRESETS`, or `timm:` and the name of a model of timm, with or without its tag. timm's own
            table is read; nothing is downloaded.

    Raises:
        ModelFault: there is no such preset, or timm is not installed.
    """
    if name.startswith(_TIMM):
        return _read_timm(name)
    if name not in PRESETS:
        hint = did_you_mean(name, PRESETS)
        raise ModelFault(
            f"has preset = {name!r}, which is none; "
            + (hint or f'the known ones are {", ".join(PRESETS)} and "timm:" with the name of a model of timm.')
        )
    return dict(PRESETS[name])


def expand_preset(values: dict[str, Any], origins: dict[str, str]) -> None:
    """Put what a preset stands for in its place; keys that are written beside it stay, and what they rule out goes.

    Args:
        values: checked values of a `model.toml` by key; `input.preset` is taken out of them.
        origins: of each, where it came from; those of the preset's are `preset "imagenet"`.

    Raises:
        ModelFault: there is no such preset.
    """
    name = values.pop("input.preset", None)
    if name is None:
        return
    origins.pop("input.preset", None)
    fields = find_preset(name)
    ruled_out: tuple[str, ...] = ()
    if values.get("input.resize", fields.get("resize")) not in CROPS:
        ruled_out = _CROP_KEYS
    elif "input.short_side" in values or "input.crop_ratio" in values:
        ruled_out = ("crop_ratio", "short_side")
    for field, value in fields.items():
        key = f"input.{field}"
        if key not in values and field not in ruled_out:
            values[key] = value
            origins[key] = f'{PRESET} "{name}"'


def _read_timm(name: str) -> dict[str, Any]:
    model = name.removeprefix(_TIMM)
    try:
        timm = import_library("timm.models", "timm")
    except ModelFault as fault:
        raise ModelFault(f"has preset = {name!r}, which {fault}") from None
    known = timm.list_models() + timm.list_pretrained()
    if model not in known:
        hint = did_you_mean(model, known)
        near = [entry for entry in known if model.partition(".")[0] in entry]
        raise ModelFault(
            f"has preset = {name!r}, and timm has no such model; "
            + (hint or (f"it has {list_some(near, _MAX_KNOWN)}." if near else "timm.list_models() gives all names."))
        )
    cfg = {key: getattr(timm.get_pretrained_cfg(model), key) for key in TIMM_INPUT}
    try:
        return describe_timm_input(cfg)
    except ValueError:
        raise ModelFault(
            f"has preset = {name!r}, which timm prepares in a way that [input] cannot say (crop_mode "
            f"{cfg['crop_mode']!r}, {cfg['interpolation']}, {cfg['input_size'][0]} channels); name your own: "
            'transform = "my_transform.py:val_transform".'
        ) from None
