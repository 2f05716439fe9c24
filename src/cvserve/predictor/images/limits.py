"""What a picture may be, and how much of it a model needs."""

from dataclasses import dataclass

from cvserve.errors import ImageTooLarge

# A decoder is held to 4 bytes a pixel for each of three pictures: what it fills, what becomes of it, and one between
# them. The decoder for WebP has two canvases to compose frames on, and what it gives is copied twice.
_SHARES = {"WEBP": 2}
# A row costs Pillow some 20 bytes beside its pixels, so that a picture one pixel wide would need six times as much.
_SIDE_SHARE = 16
_ANY_SIDE = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What a picture may be, checked on its header before a pixel is decoded.

    Attributes:
        max_pixels: width × height, default 64 million; of a WebP half as many, see `find_max_pixels`.
        max_frames: of an animation; only the first is read. Default 1,000.
        formats: Pillow's names of the formats that may be decoded.
        max_decode_s: CPU seconds for which a decoder may work on one picture, default 2.
    """

    max_pixels: int = 64_000_000
    max_frames: int = 1_000
    formats: tuple[str, ...] = ("JPEG", "PNG", "WEBP")
    max_decode_s: float = 2.0

    def find_max_pixels(self, name: str) -> int:
        """Pixels that a picture of a format may have, so that none costs much more memory and time than another.

        Args:
            name: of the format.
        """
        return self.max_pixels // _SHARES.get(name, 1)


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


def check_pixels(width: int, height: int, limits: Limits, name: str = "picture") -> None:
    """Refuse a picture by its size, before a pixel is decoded.

    Args:
        width: in pixels.
        height: in pixels.
        limits: how many are allowed.
        name: of the format, if it has one.

    Raises:
        ImageTooLarge: it has more pixels than `limits` allow, or none, or is a line of millions.
    """
    if width < 1 or height < 1:
        raise ImageTooLarge(f"The picture is {width}×{height}: it has no pixels.")
    max_pixels = limits.find_max_pixels(name)
    if width * height > max_pixels:
        kind = "" if max_pixels == limits.max_pixels else f" of a {name}"
        raise ImageTooLarge(f"The picture is {width}×{height}; at most {max_pixels:,} pixels{kind} are read.")
    max_side = max(_ANY_SIDE, limits.max_pixels // _SIDE_SHARE)
    if max(width, height) > max_side:
        raise ImageTooLarge(f"The picture is {width}×{height}; a side may have at most {max_side:,} pixels.")
