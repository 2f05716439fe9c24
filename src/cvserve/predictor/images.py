"""Any picture in, one upright Pillow image out: the only place where bytes from strangers are decoded.

Every door (library, command line, server) comes through `decode`, so the same picture gives the same pixels.
"""

import contextlib
import hashlib
import io
import os
import stat
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cvserve.errors import ImageError, ImageTooLarge, InvalidImage, InvalidParameter, UnsupportedImage
from cvserve.predictor.facts import ImageInfo
from cvserve.predictor.formats import image_format
from cvserve.predictor.modes import flatten
from cvserve.predictor.reading import read_once

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
# Where a picture that was decoded at a reduced scale keeps its width and height, so that where it is cut or padded
# does not depend on how the reduced size was rounded.
FULL_SIZE = "cvserve_full_size"
_METADATA_KEYS = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")
# A real progressive JPEG has some ten scans. Each one walks over the whole picture again, so that a small
# file with thousands of them would keep a core busy for minutes.
_MAX_JPEG_SCANS = 100
_MAX_FILE_BYTES = 1024**3
_START_OF_SCAN = b"\xff\xda"

# Strangers' broken metadata is nothing that an operator should read about; broken pixels are errors.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


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
    """What the model needs of the decoder.

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


def lift_pillow_limit() -> None:
    """For a process of ours: `Limits` decide alone, also above the 179 million pixels that Pillow would stop at."""
    Image.MAX_IMAGE_PIXELS = None


def decode(source: Any, want: Want, limits: Limits) -> tuple[Image.Image, ImageInfo]:
    """One upright image and the facts about what was sent.

    Args:
        source: a path, the encoded bytes, a PIL image, or an array uint8 [H, W], [H, W, 3] or [H, W, 4].
        want: mode and size that the model can use; a JPEG is decoded at the smallest of 1/8, 1/4, 1/2 that
            keeps that size.
        limits: pixels, frames, formats.

    Raises:
        InvalidImage: no such file, not an image, damaged.
        ImageTooLarge: more pixels or frames than `limits` allow.
        UnsupportedImage: an image of another format.
    """
    if isinstance(source, (str, os.PathLike)):
        return _decode_bytes(read_picture(source), want, limits)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decode_bytes(bytes(source), want, limits)
    if isinstance(source, Image.Image):
        info = _upright_info(source, "PIL")
        _check_pixels(info.width, info.height, limits)
        with _pillow_errors("PIL image", limits):
            return _finish(source, want), info
    if isinstance(source, np.ndarray):
        _check_array(source)
        height, width = source.shape[:2]
        _check_pixels(width, height, limits)
        image = Image.fromarray(np.ascontiguousarray(source))
        return flatten(image, want.mode), ImageInfo(width, height, "ARRAY")
    raise InvalidParameter(
        f"A picture cannot come from {type(source).__name__}; give a path, the file's bytes, a PIL image or an array."
    )


def read_picture(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a picture file.

    Raises:
        InvalidImage: there is no such file, it is a folder, a pipe or a device, or it cannot be read.
        ImageTooLarge: no picture has so many bytes.
    """
    name = Path(path).name
    try:
        data, status = read_once(Path(path), _MAX_FILE_BYTES)
    except FileNotFoundError:
        raise InvalidImage(f"There is no file '{path}'.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable name"
        raise InvalidImage(f"'{name}' cannot be read: {reason}.") from None
    if not stat.S_ISREG(status.st_mode):
        raise InvalidImage(f"'{name}' is not a file but a folder, a pipe or a device.")
    if status.st_size > _MAX_FILE_BYTES:
        raise ImageTooLarge(f"'{name}' has {status.st_size:,} bytes; at most {_MAX_FILE_BYTES:,} are read.")
    return data


def sample_picture(size: tuple[int, int], image_format: str) -> bytes:
    """An encoded picture of one grey, to warm up the whole way from bytes to scores."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (127, 127, 127)).save(buffer, image_format)
    return buffer.getvalue()


def _decode_bytes(data: bytes, want: Want, limits: Limits) -> tuple[Image.Image, ImageInfo]:
    name = _allowed_format(data, limits)
    with _pillow_errors(name, limits), Image.open(io.BytesIO(data), formats=(name,)) as image:
        info = _upright_info(image, name, data)
        _check_pixels(image.width, image.height, limits)
        _check_frames(image, limits)
        if name == "JPEG":
            _reduce(image, want, turned=info.width != image.width)
        flat = _finish(image, want)
        flat.info[FULL_SIZE] = (info.width, info.height)
        return flat, info


@contextlib.contextmanager
def _pillow_errors(name: str, limits: Limits) -> Iterator[None]:
    """Turn what Pillow raises on bad bytes into ours."""
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageTooLarge(f"The picture has more than {limits.max_pixels:,} pixels.") from None
    except MemoryError:
        raise ImageTooLarge("The picture needs more memory than there is; send a smaller one.") from None
    except Exception:  # Pillow raises a dozen kinds on bad bytes; none of them is our fault
        raise InvalidImage(f"The {name} cannot be decoded: it is damaged or cut off.") from None


def _allowed_format(data: bytes, limits: Limits) -> str:
    if not data:
        raise InvalidImage("The picture is empty (0 bytes).")
    name = image_format(data)
    known = ", ".join(limits.formats)
    if name is None:
        raise InvalidImage(f"These {len(data):,} bytes are not an image; send one of {known}.")
    if name not in limits.formats:
        raise UnsupportedImage(f"The picture is {name}, which is not allowed here; send one of {known}.")
    if name == "JPEG" and (scans := data.count(_START_OF_SCAN)) > _MAX_JPEG_SCANS:
        raise InvalidImage(f"The JPEG has {scans:,} scans, which is too slow to decode; save it anew.")
    return name


def _upright_info(image: Image.Image, name: str, data: bytes = b"") -> ImageInfo:
    width, height = image.size
    if _orientation(image) >= 5:
        width, height = height, width
    return ImageInfo(width, height, name, len(data), hashlib.sha256(data).hexdigest() if data else "")


def _check_pixels(width: int, height: int, limits: Limits) -> None:
    if width < 1 or height < 1:
        raise ImageTooLarge(f"The picture is {width}×{height}: it has no pixels.")
    if width * height > limits.max_pixels:
        raise ImageTooLarge(f"The picture is {width}×{height}; at most {limits.max_pixels:,} pixels are read.")


def _check_frames(image: Image.Image, limits: Limits) -> None:
    frames = getattr(image, "n_frames", 1)
    if frames > limits.max_frames:
        raise ImageTooLarge(f"The picture has {frames:,} frames; at most {limits.max_frames:,} are allowed.")


def _reduce(image: Image.Image, want: Want, *, turned: bool) -> None:
    """Let the JPEG decoder skip what the model cannot see.

    `draft` picks the largest divisor of 8, 4, 2 that leaves the asked size on both sides; for a model that
    takes grey it also decodes the luma channel only, which is exactly what grey means for a JPEG.
    """
    size = None
    if want.width is not None and want.height is not None:
        width, height = (want.height, want.width) if turned else (want.width, want.height)
        if want.inside:
            divisor = max(1, image.width // width, image.height // height)
            width, height = max(1, image.width // divisor), max(1, image.height // divisor)
        size = (width, height)
    image.draft("RGB" if want.mode == "RGB" else "L", size)


def _finish(image: Image.Image, want: Want) -> Image.Image:
    orientation = _orientation(image)
    flat = flatten(image, want.mode)
    return flat.transpose(_TRANSPOSE[orientation]) if orientation > 1 else flat


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1…8; anything else in a file counts as 1, upright."""
    if not any(key in image.info for key in _METADATA_KEYS):
        return 1
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # broken metadata is no reason to refuse a good picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _check_array(array: np.ndarray[Any, Any]) -> None:
    if array.dtype != np.uint8:
        raise InvalidParameter(f"The array is {array.dtype}; give uint8, 0…255.")
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or 0 in array.shape:
        raise InvalidParameter(f"The array has shape {list(array.shape)}; give [H, W], [H, W, 3] or [H, W, 4].")
