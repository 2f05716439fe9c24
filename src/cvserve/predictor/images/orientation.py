"""Which side of a picture is up: the EXIF orientation, and the turn that undoes it."""

from typing import IO

from PIL import Image

_ORIENTATION_TAG = 0x0112  # EXIF 2.3, table 4
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_METADATA_KEYS = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")


def read_orientation(image: Image.Image) -> int:
    """EXIF orientation 1…8, from EXIF or XMP; anything else in a file counts as 1, upright."""
    if not any(key in image.info for key in _METADATA_KEYS):
        return 1
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # broken metadata is no reason to refuse a good picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def read_jpeg_orientation(file: IO[bytes]) -> int:
    """EXIF orientation 1…8 of a JPEG file; a header that cannot be read counts as 1, upright."""
    try:
        with Image.open(file, formats=("JPEG",)) as image:
            return read_orientation(image)
    except Exception:  # the pixels may be good all the same; broken metadata is no reason to refuse them
        return 1


def turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn a picture so that the side is up that was up for the camera.

    Args:
        image: as it is stored.
        orientation: EXIF orientation, 1…8; 1 gives the picture itself.
    """
    return image.transpose(_TRANSPOSE[orientation]) if orientation > 1 else image
