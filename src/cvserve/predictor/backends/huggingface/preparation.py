"""How the pictures of a Hugging Face folder are prepared: by transformers' own image processor, as its files say."""

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.predictor.backends.huggingface.architecture import refuse_code
from cvserve.predictor.backends.huggingface.input import describe_input
from cvserve.predictor.backends.huggingface.library import take_class
from cvserve.predictor.images.limits import Want
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.files.folder import PROCESSORS, ModelFolder
from cvserve.predictor.models.input_spec import InputSpec
from cvserve.texts import to_one_line

# Words of a call or of a machine, which are no property of the preparation
_OF_CALLS = ("return_tensors", "device", "data_format", "input_data_format", "disable_grouping")
# Sizes as different as those of pictures are
_TRIED = ((640, 427), (300, 451), (64, 64))
_MAX_SIDE_PX, _MIN_CROP, _MAX_SHOWN = 4096, 0.1, 60


class ProcessorPreparation:
    """Prepares each picture by an image processor of transformers.

    Args:
        processor: called with a Pillow picture.
        mode: of the pictures that it is given, `L` or `RGB`.

    Raises:
        ModelFault: it cannot prepare a picture, or makes pictures of different sizes.
    """

    def __init__(self, processor: Any, mode: str) -> None:
        self._processor, self.mode = processor, mode
        shapes = {self._try(size) for size in _TRIED}
        if len(shapes) != 1:
            raise ModelFault(
                "prepares pictures of different sizes, and the pictures of a batch have one; write [input] size = "
                '[width, height] and resize = "stretch" into model.toml in it.'
            )
        *_, height, width = shapes.pop()
        self.size = (width, height)

    def want(self) -> Want:
        """The whole picture: what the processor makes of a smaller one is not the same."""
        return Want(self.mode)

    def prepare(self, image: Image.Image) -> NDArray[Any]:
        """The array of one picture, float32 [C, H, W]."""
        values = self._processor(image, return_tensors="np")["pixel_values"][0]
        return np.ascontiguousarray(values, dtype=np.float32)

    def render(self, array: NDArray[Any]) -> Image.Image:
        """The picture that a prepared array stands for, as far as scale, mean and std tell."""
        fields = {**describe_input(self._processor), "size": self.size}
        return InputSpec(**(fields if self.mode == "RGB" else {**fields, "mode": "L"})).render(array)

    def _try(self, size: tuple[int, int]) -> tuple[int, ...]:
        name = type(self._processor).__name__
        try:
            given = self._processor(Image.new(self.mode, size), return_tensors="np")
        except Exception as error:  # each processor checks its values in its own way
            raise ModelFault(
                f"has an image processor, {name}, that fails on a picture of {size[0]} by {size[1]} pixels "
                f"({type(error).__name__}); save it again: processor.save_pretrained(…)."
            ) from None
        if set(given) != {"pixel_values"} or np.ndim(given["pixel_values"][0]) != 3:
            raise ModelFault(
                f"has an image processor, {name}, that gives other things than one array a picture "
                f"({', '.join(map(str, given))}); serve it by a class of your own: my_model.py:MyModel."
            )
        return np.shape(given["pixel_values"][0])


def make_processor(transformers: Any, folder: ModelFolder, model_type: str) -> Any:
    """The image processor that `AutoImageProcessor` would make of the folder; None when no file says which.

    It is the one that uses torchvision where that is installed, else the one that uses Pillow: they resize alike but
    for a rounding in a pixel of three hundred, which moves scores in the third decimal.

    Raises:
        ModelFault: the file names code of its own, or none of transformers' own processors, or its values do not fit.
    """
    name, says = _find_settings(folder)
    if not says:
        return None
    refuse_code(says, name)
    processor_class = take_class(transformers, _choose_class(says, model_type, name))
    kept = {key: says[key] for key in processor_class.valid_kwargs.__annotations__ if key in says}
    for key in _OF_CALLS:
        kept.pop(key, None)
    _check_sizes(kept, name)
    try:
        return processor_class(**kept)
    except Exception as error:  # each processor checks its values in its own way
        raise ModelFault(
            f"has a {name} that {processor_class.__name__} of transformers {transformers.__version__} does not take "
            f"({type(error).__name__}); save it again: processor.save_pretrained(…)."
        ) from None


def _find_settings(folder: ModelFolder) -> tuple[str, Mapping[str, Any]]:
    """The values, and the name of their file: those inside of a `processor_config.json` come first, as there."""
    older, newer = PROCESSORS
    inner = folder.read_json(newer).get("image_processor")
    if isinstance(inner, dict) and inner:
        return newer, inner
    return older, folder.read_json(older)


def _choose_class(says: Mapping[str, Any], model_type: str, name: str) -> str:
    auto = importlib.import_module("transformers.models.auto.image_processing_auto")
    tables = auto.IMAGE_PROCESSOR_MAPPING_NAMES
    wanted = says.get("image_processor_type")
    if wanted is None and isinstance(says.get("feature_extractor_type"), str):
        wanted = says["feature_extractor_type"].replace("FeatureExtractor", "ImageProcessor")  # until 2022
    if wanted is None:
        table = tables.get(model_type)
    else:
        base = str(wanted).removesuffix("Fast")
        table = next((names for names in tables.values() if base in names.values()), None)
    if not table:
        shown = to_one_line(str(wanted or model_type), _MAX_SHOWN)
        raise ModelFault(
            f"has a {name} for {shown}, no image processor that transformers has itself; save the one that the model "
            "was trained with: processor.save_pretrained(…)."
        )
    has_torchvision = importlib.import_module("transformers.utils").is_torchvision_available()
    order = ("torchvision", "pil") if has_torchvision else ("pil", "torchvision")
    return next(str(table[backend]) for backend in order if table.get(backend))


def _check_sizes(kept: Mapping[str, Any], name: str) -> None:
    for key in ("size", "crop_size", "pad_size"):
        value = kept.get(key)
        sides = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        if any(isinstance(side, (int, float)) and not 0 < side <= _MAX_SIDE_PX for side in sides):
            raise ModelFault(f"has a {name} with a {key} that is no size of a picture: 1 to {_MAX_SIDE_PX} pixels.")
    ratio = kept.get("crop_pct")
    if ratio is None:
        return
    # A picture is made larger by it before its centre is cut out.
    size = kept.get("size")
    sides = size.values() if isinstance(size, dict) else [size]
    side_px = max((side for side in sides if isinstance(side, (int, float))), default=0)
    if not (isinstance(ratio, (int, float)) and _MIN_CROP <= ratio <= 1 and side_px / ratio <= _MAX_SIDE_PX):
        raise ModelFault(
            f"has a {name} with a crop_pct that is no part of a picture: {_MIN_CROP} to 1, and with size / crop_pct up "
            f"to {_MAX_SIDE_PX} pixels."
        )
