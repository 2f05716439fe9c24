"""What is known of a model and of a picture without having either."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model answered.

    Attributes:
        name: from `model.toml`, else the file's stem.
        version: the first 12 hex digits of `sha256`.
        sha256: hash of the model file, 64 hex digits.
        format: `builtin`, `sklearn`, …
    """

    name: str
    sha256: str
    format: str

    @property
    def version(self) -> str:
        """The first 12 hex digits of the file's SHA-256."""
        return self.sha256[:12]

    def to_dict(self) -> dict[str, str]:
        """The member `model` in JSON."""
        return {"name": self.name, "version": self.version}


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
