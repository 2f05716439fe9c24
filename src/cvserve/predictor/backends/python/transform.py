"""A transform of the user's own as the preparation of a model: the very one that it was trained or validated with."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.predictor.backends.python.module import closed_folders, hashed_only, importable, run_module
from cvserve.predictor.images.limits import Want
from cvserve.predictor.images.render import render_values
from cvserve.predictor.models.code.transforms import TransformCode
from cvserve.predictor.models.fault import ModelFault, about
from cvserve.predictor.user_code import explain_errors

_SIZE_PX = (320, 240)
# What albumentations and the processors of transformers call the array in their answer.
_KEYS = ("image", "pixel_values")
_CHANNELS = (1, 3)


class TransformPreparation:
    """A callable that makes an array of a picture: of torchvision, timm, albumentations, or a function.

    Args:
        transform: takes a PIL image of mode RGB. What it gives may be a tensor or an array [C, H, W], [H, W, C],
            [H, W] or [values], or a mapping with it under `image`; a batch of one is taken apart.
        layout: `NCHW`, `NHWC` or `flat`, in which the model takes it; None: as it comes.
        dtype: NumPy's name of the type in which the model takes it.
    """

    def __init__(self, transform: Callable[..., Any], layout: str | None, dtype: str) -> None:
        self._transform = transform
        self._takes_keyword = type(transform).__module__.partition(".")[0] == "albumentations"
        self._layout = layout
        self._dtype = dtype

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels of a picture to try it with; it takes any."""
        return _SIZE_PX

    def want(self) -> Want:
        """RGB at full size: what the transform was given in training."""
        return Want("RGB")

    def prepare(self, image: Image.Image) -> NDArray[Any]:
        """The array of one picture, without the batch dimension.

        Raises:
            ValueError: the transform gave something else than numbers of one picture.
            Exception: whatever the transform raises.
        """
        given = self._transform(image=np.asarray(image)) if self._takes_keyword else self._transform(image)
        return self._arrange(_read_array(given)).astype(self._dtype, copy=False)

    def render(self, array: NDArray[Any]) -> Image.Image:
        """The array as a picture, darkest value black; only the transform knows what its values mean."""
        return render_values(array)

    def _arrange(self, array: NDArray[Any]) -> NDArray[Any]:
        """The channels where the model takes them, where it can be seen which side they are."""
        if self._layout is None:
            return array
        if self._layout == "flat":
            return array.reshape(-1)
        wants_first = self._layout == "NCHW"
        if array.ndim == 2:
            return array[None] if wants_first else array[:, :, None]
        first, last = array.shape[0] in _CHANNELS, array.shape[-1] in _CHANNELS
        if array.ndim != 3 or first in (last, wants_first):
            return array
        return array.transpose(2, 0, 1) if wants_first else array.transpose(1, 2, 0)


def load_transform(code: TransformCode, layout: str | None, dtype: str) -> TransformPreparation:
    """Run the file of a transform and try what it names on a picture.

    Args:
        code: that somebody vouches for.
        layout: for `TransformPreparation`.
        dtype: for `TransformPreparation`.

    Raises:
        ModelLoadError: a mistake in it, by file and line; it is no transform; or it gives another array each time.
    """
    folder = code.file.path.parent
    closed = closed_folders(code.file.path.name, code.file.path) if code.is_strict else ()
    with importable(folder), hashed_only(code.file, closed):
        with about(code.file), explain_errors("its import", folder):
            module = run_module(str(code.file.path), code.file)
        named = getattr(module, code.name, None)
        with about(_describe_place(code, named)):
            if named is None:
                raise ModelFault("is not there; [input] transform names a transform that is.")
            with explain_errors("making the transform", folder):
                transform = _make_transform(named)
            preparation = TransformPreparation(transform, layout, dtype)
            with explain_errors("preparing a picture", folder):
                one, other = (preparation.prepare(_make_picture()) for _ in range(2))
            if not np.array_equal(one, other, equal_nan=True):
                raise ModelFault(
                    "makes two arrays of the same picture, as the random crops and flips of training do; name the "
                    "transform of validation."
                )
    return preparation


def _describe_place(code: TransformCode, named: Any) -> str:
    """Where it stands, for sentences: `val_transform in train.py, line 7,`."""
    line = getattr(getattr(named, "__code__", None), "co_firstlineno", None)
    return f"{code.name} in {code.file.path.name}" + ("" if line is None else f", line {line},")


def _make_transform(named: Any) -> Callable[..., Any]:
    """The callable itself, or what a class or a function without arguments gives."""
    if not callable(named):
        raise ModelFault(f"is of type {type(named).__name__}, which cannot be called with a picture; name a function.")
    if not (isinstance(named, type) or inspect.isroutine(named)) or _needs_arguments(named):
        return named  # type: ignore[no-any-return]
    made = named()
    if not callable(made):
        raise ModelFault(
            f"takes no picture and gives a {type(made).__name__}; name a function that takes a picture, or one that "
            "gives such a function."
        )
    return made  # type: ignore[no-any-return]


def _needs_arguments(named: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(named).parameters.values()
    except (TypeError, ValueError):  # some of C do not say; they take a picture, then
        return True
    return any(one.default is one.empty and one.kind is not one.VAR_KEYWORD for one in parameters)


def _read_array(given: Any) -> NDArray[Any]:
    """The numbers of one picture in what a transform gave."""
    if isinstance(given, Mapping):
        found = [given[key] for key in _KEYS if key in given]
        if not found:
            raise ModelFault(f"gives a mapping without {' or '.join(_KEYS)}; let it give the array.")
        given = found[0]
    if isinstance(given, Image.Image):
        raise ModelFault("gives a picture and no numbers; let it end with ToTensor().")
    array = np.asarray(given.numpy() if hasattr(given, "numpy") else given)
    if array.ndim == 4 and len(array) == 1:
        array = array[0]
    if array.dtype.kind not in "fiub" or array.ndim not in (1, 2, 3) or not array.size:
        raise ModelFault(
            f"gives {array.dtype} {list(array.shape)}; a transform gives the numbers of one picture, [C, H, W] or "
            "[H, W, C]."
        )
    return array


def _make_picture() -> Image.Image:
    """A picture in which no two corners are alike, so that a crop or a flip shows."""
    width, height = _SIZE_PX
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.dstack([x, y, (x + y) / 2]).astype(np.uint8))
