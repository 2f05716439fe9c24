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
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cvserve.errors import ImageError, ImageTooLarge, InvalidImage, InvalidParameter, UnsupportedImage
from cvserve.files import describe_read_error, read_once
from cvserve.predictor.images import jpeg
from cvserve.predictor.images.colour import flatten
from cvserve.predictor.images.decoder_input import DecoderInput
from cvserve.predictor.images.info import ImageInfo
from cvserve.predictor.images.limits import Limits, Want, check_pixels
from cvserve.predictor.images.orientation import read_jpeg_orientation, read_orientation, turn_upright
from cvserve.predictor.images.png import check_chunks
from cvserve.predictor.images.signatures import detect_format

# Where a picture that was decoded at a reduced scale keeps its width and height, so that where it is cut or padded
# does not depend on how the reduced size was rounded.
FULL_SIZE = "cvserve_full_size"
_MAX_FILE_BYTES = 1024**3

# Strangers' broken metadata is nothing that an operator should read about; broken pixels are errors.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


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
        InvalidImage: no such file, not an image, damaged, too slow to decode.
        ImageTooLarge: more pixels or frames than `limits` allow.
        UnsupportedImage: an image of another format.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decode_bytes(bytes(source), want, limits)
    if isinstance(source, (str, os.PathLike)):
        return _decode_bytes(read_picture(source), want, limits)
    if isinstance(source, Image.Image):
        check_pixels(*source.size, limits)
        info = _read_info(source, "PIL")
        with _pillow_errors("PIL image", limits):
            orientation = read_orientation(source)
            return turn_upright(flatten(source, want.mode), orientation), info
    if isinstance(source, np.ndarray):
        _check_array(source)
        height, width = source.shape[:2]
        check_pixels(width, height, limits)
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
        raise InvalidImage(f"'{name}' cannot be read: {describe_read_error(error)}.") from None
    if not stat.S_ISREG(status.st_mode):
        raise InvalidImage(f"'{name}' is not a file but a folder, a pipe or a device.")
    if status.st_size > _MAX_FILE_BYTES:
        raise ImageTooLarge(f"'{name}' has {status.st_size:,} bytes; at most {_MAX_FILE_BYTES:,} are read.")
    return data


def make_sample(size: tuple[int, int], image_format: str) -> bytes:
    """An encoded picture of one grey, to warm up the whole way from bytes to scores."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (127, 127, 127)).save(buffer, image_format)
    return buffer.getvalue()


def _decode_bytes(data: bytes, want: Want, limits: Limits) -> tuple[Image.Image, ImageInfo]:
    name = _check_format(data, limits)
    source = DecoderInput(data, limits.max_decode_s)
    if name == "JPEG" and (found := _decode_plain_jpeg(data, source, want, limits)) is not None:
        return found
    if name == "PNG":
        check_chunks(data)
    with _pillow_errors(name, limits), Image.open(source, formats=(name,)) as image:
        check_pixels(*image.size, limits, name)
        _check_frames(image, limits)
        info = _read_info(image, name, data)  # may decode: Pillow looks for metadata behind the pixels, too
        if name == "JPEG":
            jpeg.check_scans(data, image.width * image.height, limits.max_pixels)
            size = _choose_size(image.size, want, turned=info.width != image.width)
            image.draft(_jpeg_mode(want), size)
        orientation = read_orientation(image)  # before `flatten`, which leaves metadata behind
        flat = flatten(image, want.mode)
        if flat is not image:
            image.close()  # its pixels, before those that are left are copied once more
        flat = turn_upright(flat, orientation)
        flat.info[FULL_SIZE] = (info.width, info.height)
        return flat, info


def _decode_plain_jpeg(
    data: bytes, source: DecoderInput, want: Want, limits: Limits
) -> tuple[Image.Image, ImageInfo] | None:
    """What most pictures are, without Pillow; None leaves the file, or the words for what is wrong with it, to it."""
    header = jpeg.read_header(data)
    pixels = 0 if header is None else header.width * header.height
    if header is None or not header.is_single_scan:  # counting takes longer than all the rest of the header
        jpeg.check_scans(data, pixels, limits.max_pixels)
    if header is None or not header.is_plain:
        jpeg.check_markers(data)
        return None
    check_pixels(header.width, header.height, limits, "JPEG")
    orientation = read_jpeg_orientation(source) if header.has_metadata else 1
    stored = (header.width, header.height)
    turned = orientation >= 5
    divisor = jpeg.choose_divisor(stored, _choose_size(stored, want, turned=turned))
    image = jpeg.decode_plain(data, header, _jpeg_mode(want), divisor)
    if image is None:
        return None
    image = turn_upright(image, orientation)
    width, height = reversed(stored) if turned else stored
    image.info[FULL_SIZE] = (width, height)
    return image, ImageInfo(width, height, "JPEG", len(data), hashlib.sha256(data).hexdigest())


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


def _check_format(data: bytes, limits: Limits) -> str:
    if not data:
        raise InvalidImage("The picture is empty (0 bytes).")
    name = detect_format(data)
    if name in limits.formats:
        return name
    known = ", ".join(limits.formats)
    if name is None:
        raise InvalidImage(f"These {len(data):,} bytes are not an image; send one of {known}.")
    raise UnsupportedImage(f"The picture is {name}, which is not allowed here; send one of {known}.")


def _read_info(image: Image.Image, name: str, data: bytes = b"") -> ImageInfo:
    width, height = image.size
    if read_orientation(image) >= 5:
        width, height = height, width
    return ImageInfo(width, height, name, len(data), hashlib.sha256(data).hexdigest() if data else "")


def _check_frames(image: Image.Image, limits: Limits) -> None:
    frames = getattr(image, "n_frames", 1)
    if frames > limits.max_frames:
        raise ImageTooLarge(f"The picture has {frames:,} frames; at most {limits.max_frames:,} are allowed.")


def _jpeg_mode(want: Want) -> str:
    """Luma alone is exactly what grey means for a JPEG, and a JPEG has no transparency to ask for."""
    return "RGB" if want.mode == "RGB" else "L"


def _choose_size(stored: tuple[int, int], want: Want, *, turned: bool) -> tuple[int, int] | None:
    """Pixels that must be left of a JPEG, as it is stored; None for all of them."""
    if want.width is None or want.height is None:
        return None
    width, height = (want.height, want.width) if turned else (want.width, want.height)
    if want.inside:
        divisor = max(1, stored[0] // width, stored[1] // height)
        return max(1, stored[0] // divisor), max(1, stored[1] // divisor)
    return width, height


def _check_array(array: np.ndarray[Any, Any]) -> None:
    if array.dtype != np.uint8:
        raise InvalidParameter(f"The array is {array.dtype}; give uint8, 0…255.")
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or 0 in array.shape:
        raise InvalidParameter(f"The array has shape {list(array.shape)}; give [H, W], [H, W, 3] or [H, W, 4].")
