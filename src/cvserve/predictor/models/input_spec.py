"""Makes a picture the array that a model file expects, as the section `[input]` of `model.toml` says."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.errors import ImageTooLarge
from cvserve.predictor.images.colour import to_pixels
from cvserve.predictor.images.decode import FULL_SIZE
from cvserve.predictor.images.limits import Want

RESAMPLE = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# With decode = "auto" a JPEG keeps this many source pixels each way for a pixel of the input.
SOURCE_PIXELS_PER_INPUT_PIXEL = 4
_MAX_SCALED_PIXELS = 16_000_000


@dataclass(frozen=True, slots=True)
class InputSpec:
    """Preparation of one picture, all of it data.

    value = (pixel × scale − mean) / std, with pixel 0…255.

    Attributes:
        size: width and height in pixels.
        mode: `L`, `RGB` or `BGR`.
        resize: `stretch`; `crop`: short side to size / crop_ratio, then the centre; `pad`: long side to size,
            black around; `exact`: refuse another size.
        crop_ratio: 0…1, only for `crop`.
        resample: a key of `RESAMPLE`.
        decode: `auto` or `exact`.
        invert: 255 − pixel, before everything else.
        scale, mean, std: one number, or one a channel for mean and std.
        layout: `NCHW`, `NHWC` or `flat` (rows of pixels, channels last).
        dtype: NumPy's name of the array's type.
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

    @property
    def channels(self) -> int:
        """1 for grey, else 3."""
        return 1 if self.mode == "L" else 3

    @property
    def features(self) -> int:
        """Values in one prepared picture."""
        return self.size[0] * self.size[1] * self.channels

    def want(self) -> Want:
        """What to ask of the decoder."""
        mode = "L" if self.mode == "L" else "RGB"
        if self.decode == "exact" or self.resize == "exact":
            return Want(mode)
        width, height = (side * SOURCE_PIXELS_PER_INPUT_PIXEL for side in self.size)
        if self.resize == "crop":
            width, height = math.ceil(width / self.crop_ratio), math.ceil(height / self.crop_ratio)
        return Want(mode, width, height, inside=self.resize == "pad")

    def prepare(self, image: Image.Image) -> NDArray[Any]:
        """The array of one upright picture.

        Args:
            image: mode L for a grey model, else RGB.

        Returns:
            float (or `dtype`) [C, H, W], [H, W, C] or [H × W × C], after `layout`.

        Raises:
            ImageTooLarge: `resize` is `exact` and the picture has another size.
        """
        pixels = to_pixels(self._resize(image))
        if self.invert:
            pixels = 255 - pixels
        if self.mode == "BGR":
            pixels = pixels[:, :, ::-1]
        values = pixels * np.float32(self.scale)
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

    def _resize(self, image: Image.Image) -> Image.Image:
        if image.size == self.size:
            return image
        width, height = self.size
        filter_ = RESAMPLE[self.resample]
        if self.resize == "exact":
            raise ImageTooLarge(f"The picture is {image.width}×{image.height}; this model takes {width}×{height} only.")
        if self.resize == "stretch":
            return image.resize(self.size, filter_)
        if self.resize == "crop":
            return _centre_crop(image, self.size, self.crop_ratio, filter_)
        return _pad(image, self.size, filter_)


def _centre_crop(
    image: Image.Image, size: tuple[int, int], crop_ratio: float, filter_: Image.Resampling
) -> Image.Image:
    """Short side to size / crop_ratio, then the centre, as torchvision's Resize and CenterCrop do."""
    width, height = size
    full_width, full_height = image.info.get(FULL_SIZE, image.size)
    ratio = max(width / crop_ratio / full_width, height / crop_ratio / full_height)
    scaled_width = max(width, round(full_width * ratio))
    scaled_height = max(height, round(full_height * ratio))
    if scaled_width * scaled_height > _MAX_SCALED_PIXELS:
        # A picture one pixel high would grow to gigabytes before its centre is cut out: cut first.
        box_width = width / ratio * image.width / full_width
        box_height = height / ratio * image.height / full_height
        left, top = (image.width - box_width) / 2, (image.height - box_height) / 2
        return image.resize(size, filter_, box=(left, top, left + box_width, top + box_height))
    left, top = round((scaled_width - width) / 2), round((scaled_height - height) / 2)
    scaled = image.resize((scaled_width, scaled_height), filter_)
    return scaled.crop((left, top, left + width, top + height))


def _pad(image: Image.Image, size: tuple[int, int], filter_: Image.Resampling) -> Image.Image:
    """Long side to size, the rest black, the picture in the middle."""
    width, height = size
    full_width, full_height = image.info.get(FULL_SIZE, image.size)
    ratio = min(width / full_width, height / full_height)
    inner = (max(1, round(full_width * ratio)), max(1, round(full_height * ratio)))
    canvas = Image.new(image.mode, size)
    canvas.paste(image.resize(inner, filter_), ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return canvas
