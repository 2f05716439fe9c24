"""Makes a picture the array that a model file expects, as the section `[input]` of `model.toml` says."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.errors import ImageTooLarge
from cvserve.predictor.images.colour import to_pixels
from cvserve.predictor.images.fit import RESAMPLE, cut_centre, keep_shape, pad, stretch
from cvserve.predictor.images.limits import Want

# Those that cut a centre out of a larger picture.
CROPS = ("crop", "squash")
# With decode = "auto" a JPEG keeps this many source pixels each way for a pixel of the input.
SOURCE_PIXELS_PER_INPUT_PIXEL = 4
# People write 0.9655172414 for 224 / 232, which must not come out as 231.
_SIDE_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class InputSpec:
    """Preparation of one picture, all of it data.

    value = (pixel × scale − mean) / std, with pixel 0…255.

    Attributes:
        size: width and height in pixels.
        mode: `L`, `RGB` or `BGR`.
        resize: `stretch`; `crop`: short side to size / crop_ratio, then the centre; `squash`: both sides to
            size / crop_ratio, then the centre; `pad`: long side to size, black around; `exact`: refuse another size.
        crop_ratio: 0…1, only for `crop` and `squash`; a side is cut off to whole pixels, as timm does.
        resample: a key of `RESAMPLE`.
        decode: `auto` or `exact`.
        invert: 255 − pixel, before everything else.
        scale, mean, std: one number, or one a channel for mean and std.
        layout: `NCHW`, `NHWC` or `flat` (rows of pixels, channels last).
        dtype: NumPy's name of the array's type.
        short_side: in pixels, what the short side becomes before the centre is cut out; instead of `crop_ratio`.
        crop_rounding: where a centre begins that falls between two pixels, one of `fit.ROUNDING`.
    """

    size: tuple[int, int]
    mode: str = "RGB"
    resize: str = "stretch"
    crop_ratio: float = 1.0
    resample: str = "bilinear"
    decode: str = "auto"
    invert: bool = False
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    layout: str = "NCHW"
    dtype: str = "float32"
    short_side: int | None = None
    crop_rounding: str = "nearest"

    @property
    def channels(self) -> int:
        """1 for grey, else 3."""
        return 1 if self.mode == "L" else 3

    @property
    def features(self) -> int:
        """Values in one prepared picture."""
        return self.size[0] * self.size[1] * self.channels

    @property
    def idle(self) -> frozenset[str]:
        """Names of fields that change nothing, as the others are."""
        if self.resize not in CROPS:
            return frozenset({"short_side", "crop_rounding"})
        return frozenset({"short_side" if self.short_side is None else "crop_ratio"})

    def want(self) -> Want:
        """What to ask of the decoder."""
        # Grey is the luma of a JPEG; frameworks decode its colours and make grey of them, which rounds elsewhere.
        mode = "L" if self.mode == "L" and self.decode != "exact" else "RGB"
        if self.decode == "exact" or self.resize == "exact":
            return Want(mode)
        width, height = (side * SOURCE_PIXELS_PER_INPUT_PIXEL for side in self.scaled_size)
        return Want(mode, width, height, inside=self.resize == "pad")

    def prepare(self, image: Image.Image) -> NDArray[Any]:
        """The array of one upright picture.

        Args:
            image: mode RGB, or L for a grey model.

        Returns:
            float (or `dtype`) [C, H, W], [H, W, C] or [H × W × C], after `layout`.

        Raises:
            ImageTooLarge: `resize` is `exact` and the picture has another size.
        """
        is_grey = self.mode == "L" and image.mode != "L"
        pixels = to_pixels(self._resize(image.convert("L") if is_grey else image))
        if self.invert:
            pixels = 255 - pixels
        if self.mode == "BGR":
            pixels = pixels[:, :, ::-1]
        divisor = float(1 / self.scale)
        # Frameworks divide by 255; to multiply by 1/255 gives other last bits.
        values: NDArray[Any] = pixels / np.float32(divisor) if divisor.is_integer() else pixels * np.float32(self.scale)
        if self.mean != (0.0,):
            values -= np.asarray(self.mean, dtype=np.float32)
        if self.std != (1.0,):
            values /= np.asarray(self.std, dtype=np.float32)
        return self._arrange(values).astype(self.dtype, copy=False)

    def render(self, array: NDArray[Any]) -> Image.Image:
        """The picture of mode L or RGB that a prepared array stands for; an inverted one stays inverted.

        Args:
            array: as `prepare` gave it.
        """
        width, height = self.size
        values = np.asarray(array, dtype=np.float64)
        if self.layout == "NCHW":
            values = values.transpose(1, 2, 0)
        values = values.reshape(height, width, self.channels) * self.std + self.mean
        pixels = np.clip(np.rint(values / self.scale), 0, 255).astype(np.uint8)
        if self.mode == "L":
            return Image.fromarray(pixels[:, :, 0])
        return Image.fromarray(np.ascontiguousarray(pixels[:, :, ::-1] if self.mode == "BGR" else pixels))

    def _arrange(self, values: NDArray[Any]) -> NDArray[Any]:
        if self.layout == "flat":
            return values.reshape(-1)
        if values.ndim == 2:
            values = values[:, :, None]
        return values.transpose(2, 0, 1) if self.layout == "NCHW" else values

    @property
    def scaled_size(self) -> tuple[int, int]:
        """The size to which a picture is brought before its centre is cut out, if that is done at all."""
        if self.resize not in CROPS:
            return self.size
        if self.short_side is not None:
            return (self.short_side, self.short_side)
        width, height = (int(side / self.crop_ratio + _SIDE_TOLERANCE) for side in self.size)
        return width, height

    def _resize(self, image: Image.Image) -> Image.Image:
        filter_ = RESAMPLE[self.resample]
        if self.resize in CROPS:
            scaled = keep_shape(image, self.scaled_size) if self.resize == "crop" else self.scaled_size
            return cut_centre(image, self.size, scaled, filter_, self.crop_rounding)
        if self.resize == "pad":
            return pad(image, self.size, filter_)
        if self.resize == "exact" and image.size != self.size:
            width, height = self.size
            raise ImageTooLarge(f"The picture is {image.width}×{image.height}; this model takes {width}×{height} only.")
        return stretch(image, self.size, filter_)
