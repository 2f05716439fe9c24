"""A picture brought to the size that a model takes: stretched, cut or padded, to the pixel as frameworks do it.

The arithmetic is that of torchvision's `Resize` and `CenterCrop`, timm's `create_transform`, the image processors of
transformers and Ultralytics' `classify_transforms`: they scale by Pillow, and round in the same places.
"""

import math

from PIL import Image

from cvserve.predictor.images.decode import FULL_SIZE

RESAMPLE = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# Where the corner of a centre crop falls between two pixels: torchvision and timm take the nearest (of two as near the
# even one), transformers the upper left.
ROUNDING = ("nearest", "down")
_MAX_SCALED_PIXELS = 16_000_000
# No filter of Pillow looks further than this many pixels, of the larger picture of the two.
_FILTER_REACH_PX = 3

Size = tuple[int, int]


def stretch(image: Image.Image, size: Size, filter_: Image.Resampling) -> Image.Image:
    """Both sides to the size, whatever shape the picture had."""
    return image if image.size == size else image.resize(size, filter_)


def cut_centre(
    image: Image.Image, size: Size, scaled: Size, filter_: Image.Resampling, rounding: str = "nearest"
) -> Image.Image:
    """Scale a picture and cut out the centre; where it is smaller than that, black is around it.

    Args:
        image: upright.
        size: width and height of the centre, in pixels.
        scaled: width and height to scale to, e.g. of `keep_shape`.
        filter_: of Pillow.
        rounding: of `ROUNDING`.
    """
    left, top = (_find_offset(*sides, rounding) for sides in zip(scaled, size, strict=True))
    if scaled[0] * scaled[1] <= _MAX_SCALED_PIXELS:
        return image.resize(scaled, filter_).crop((left, top, left + size[0], top + size[1]))
    # A picture one pixel high would grow to gigabytes before its centre is cut out.
    inner = (max(0, left), max(0, top), min(scaled[0], left + size[0]), min(scaled[1], top + size[1]))
    part = _scale_part(image, scaled, inner, filter_)
    left, top = min(0, left), min(0, top)
    return part.crop((left, top, left + size[0], top + size[1]))


def keep_shape(image: Image.Image, short: Size) -> Size:
    """The width and height of a picture that is scaled until it just covers a size.

    Args:
        image: whose shape is that of the file, also if it was decoded at a reduced scale.
        short: the size to cover. For a square the long side is cut off to whole pixels (torchvision, transformers),
            otherwise both are rounded (timm's `ResizeKeepRatio`).
    """
    width, height = full_size(image)
    if short[0] == short[1]:
        side = short[0]
        return (side, int(side * height / width)) if width <= height else (int(side * width / height), side)
    ratio = min(width / short[0], height / short[1])
    return round(width / ratio), round(height / ratio)


def pad(image: Image.Image, size: Size, filter_: Image.Resampling) -> Image.Image:
    """Long side to the size, the rest black, the picture in the middle."""
    if image.size == size:
        return image
    width, height = size
    full_width, full_height = full_size(image)
    ratio = min(width / full_width, height / full_height)
    inner = (max(1, round(full_width * ratio)), max(1, round(full_height * ratio)))
    canvas = Image.new(image.mode, size)
    canvas.paste(image.resize(inner, filter_), ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return canvas


def full_size(image: Image.Image) -> Size:
    """Width and height that the file has, of which a picture may be a reduced decode."""
    size: Size = image.info.get(FULL_SIZE, image.size)
    return size


def _find_offset(side: int, wanted: int, rounding: str) -> int:
    """Where a centre begins; below 0 where the side is shorter than the centre."""
    if rounding == "down":
        return (side - wanted) // 2
    return round((side - wanted) / 2) if side >= wanted else -((wanted - side) // 2)


def _scale_part(
    image: Image.Image, scaled: Size, part: tuple[int, int, int, int], filter_: Image.Resampling
) -> Image.Image:
    """A part of the scaled picture, made of the pixels alone that it depends on.

    They are cut out first: Pillow counts the box in 32-bit floats, which are exact near 0 and not far off.
    """
    outer: list[int] = []
    inner: list[float] = []
    for axis in (0, 1):
        step = image.size[axis] / scaled[axis]
        first, last = part[axis] * step, part[axis + 2] * step
        reach = (_FILTER_REACH_PX + 1) * max(1.0, step)
        begin, end = max(0, math.floor(first - reach)), min(image.size[axis], math.ceil(last + reach))
        outer += [begin, end]
        inner += [first - begin, min(last - begin, end - begin)]
    piece = image.crop((outer[0], outer[2], outer[1], outer[3]))
    size = (part[2] - part[0], part[3] - part[1])
    return piece.resize(size, filter_, box=(inner[0], inner[2], inner[1], inner[3]))
