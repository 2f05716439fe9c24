"""Thirty photos as people send them: other sizes and shapes, turned by EXIF, with palettes, grey, or see-through."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from support.pictures import encoded

_WHITE = (255, 255, 255, 255)
# Sizes at which one of the frameworks rounds where another does not, and shapes that few think of.
_SIZES = (
    *((640, 427), (451, 300), (427, 640), (300, 451), (512, 512), (600, 400), (333, 500), (401, 257)),
    *((224, 224), (222, 223), (225, 223), (256, 256), (257, 255), (235, 236), (199, 298), (480, 360)),
    *((37, 53), (5, 9), (700, 100), (100, 701), (40, 640), (501, 499), (700, 467), (341, 256)),
)


def thirty_photos() -> dict[str, bytes]:
    """The files by name; needs scikit-learn and scikit-image, which bring the photos."""
    return dict(_make_photos())


def open_upright(data: bytes) -> Image.Image:
    """What a framework's own loader makes of a file, mode RGB: upright, and on white where it is see-through."""
    with Image.open(io.BytesIO(data)) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.has_transparency_data:
            layer = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", layer.size, _WHITE), layer)
        return upright.convert("RGB")


def _make_photos() -> Iterator[tuple[str, bytes]]:
    sources = _read_sources()
    for index, size in enumerate(_SIZES):
        name, photo = sources[index % len(sources)]
        kind: tuple[str, dict[str, Any]] = (("JPEG", {"quality": 90}), ("PNG", {}), ("WEBP", {"quality": 90}))[
            index % 3
        ]
        yield f"{name} {size[0]}x{size[1]} {kind[0]}", encoded(_cut(photo, size), kind[0], **kind[1])
    photo = _cut(sources[0][1], (353, 501))
    exif = Image.Exif()
    exif[0x0112] = 6
    yield "turned", encoded(photo, "JPEG", quality=95, exif=exif.tobytes())
    yield "progressive", encoded(photo, "JPEG", quality=80, progressive=True)
    yield "palette", encoded(photo.quantize(64), "PNG")
    yield "grey", encoded(photo.convert("L"), "JPEG", quality=90)
    see_through = photo.convert("RGBA")
    see_through.putalpha(Image.linear_gradient("L").resize(photo.size))
    yield "see-through", encoded(see_through, "PNG")
    yield "CMYK", encoded(photo.convert("CMYK"), "JPEG", quality=95)


def _read_sources() -> list[tuple[str, Image.Image]]:
    import skimage.data
    from sklearn.datasets import load_sample_image

    arrays: dict[str, np.ndarray[Any, Any]] = {name: load_sample_image(f"{name}.jpg") for name in ("china", "flower")}
    arrays |= {name: getattr(skimage.data, name)() for name in ("astronaut", "coffee", "camera")}
    return [(name, Image.fromarray(array).convert("RGB")) for name, array in arrays.items()]


def _cut(photo: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The photo in another size and shape, nothing of it repeated."""
    return ImageOps.fit(photo, size, Image.Resampling.LANCZOS)
