"""Where a loaded model computes, held against what was asked for: never a silent fallback to the CPU."""

from dataclasses import replace

from cvserve.devices import AUTO, CPU, kind_of, parse_device
from cvserve.errors import InvalidSetting
from cvserve.predictor.contract import LoadedModel
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.source import ModelSource


def check_device_name(device: str) -> None:
    """Refuse what no device is called, before a file is read.

    Raises:
        InvalidSetting: it is no name of a device.
    """
    try:
        parse_device(device)
    except ValueError as error:
        raise InvalidSetting(f"device is '{device}': {error}.") from None


def check_placement(model: LoadedModel, source: ModelSource) -> LoadedModel:
    """The model, with its device among its properties.

    Args:
        model: that was loaded.
        source: says what was asked for.

    Raises:
        ModelFault: it computes elsewhere than `device` says, or in another precision than `half` asks for.
    """
    device, asked = model.info.device, source.device
    if asked not in (AUTO, device, kind_of(device)):
        raise ModelFault(
            f"computes on {device} and not on {asked}: "
            + (f"models of the format {model.info.format} use no device; " if device == CPU else "")
            + f"take --device {kind_of(device)}, or leave it out."
        )
    if source.half and "half" not in model.origins:
        raise ModelFault(
            f"has no half precision: models of the format {model.info.format} compute in that of their file; leave "
            "--half out."
        )
    origin = "default" if asked == AUTO else "settings"
    return replace(model, origins={**model.origins, "device": (device, origin)})
