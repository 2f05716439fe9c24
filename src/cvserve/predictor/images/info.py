"""What is known of a picture without its pixels."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What was sent, without the pixels.

    Attributes:
        width: pixels, as displayed (after EXIF orientation).
        height: pixels, as displayed.
        format: `JPEG`, `PNG`, `WEBP`, …; for PIL images and arrays `PIL` and `ARRAY`.
        bytes: size of the encoded picture; 0 for PIL images and arrays.
        sha256: hash of the encoded picture; empty for PIL images and arrays.
    """

    width: int
    height: int
    format: str
    bytes: int = 0
    sha256: str = ""
