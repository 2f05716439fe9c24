"""What a picture may be, and how much of it a model needs."""

from dataclasses import dataclass

from cvserve.errors import ImageTooLarge


@dataclass(frozen=True, slots=True)
class Limits:
    """What a picture may be, checked on its header before a pixel is decoded.

    Attributes:
        max_pixels: width × height, default 64 million.
        max_frames: of an animation; only the first is read. Default 1,000.
        formats: Pillow's names of the formats that may be decoded.
    """

    max_pixels: int = 64_000_000
    max_frames: int = 1_000
    formats: tuple[str, ...] = ("JPEG", "PNG", "WEBP")


@dataclass(frozen=True, slots=True)
class Want:
    """What a model wants of the decoder: a colour mode, and how many pixels must be left of a large picture.

    A JPEG can be decoded at an eighth, a quarter or a half of its size in a fraction of the time, which is enough for
    a model that scales the picture down further.

    Attributes:
        mode: `L`, `RGB`, or `ALPHA`: L or RGB as it comes, with its transparency if it has any.
        width: source pixels needed across, of the upright picture; None asks for a full decode.
        height: source pixels needed down.
        inside: whether the whole picture is to fit into width × height, its shape kept: then one of the two
            is enough. Default: both are needed.
    """

    mode: str = "RGB"
    width: int | None = None
    height: int | None = None
    inside: bool = False


def check_pixels(width: int, height: int, limits: Limits) -> None:
    """Refuse a picture by its size, before a pixel is decoded.

    Raises:
        ImageTooLarge: it has more pixels than `limits` allow, or none.
    """
    if width < 1 or height < 1:
        raise ImageTooLarge(f"The picture is {width}×{height}: it has no pixels.")
    if width * height > limits.max_pixels:
        raise ImageTooLarge(f"The picture is {width}×{height}; at most {limits.max_pixels:,} pixels are read.")
