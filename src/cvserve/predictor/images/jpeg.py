"""JPEG by libjpeg-turbo itself (`simplejpeg`): straight from the bytes, and only as large as it is needed.

Pillow reads the rest: other colour spaces, orientation out of metadata, and whatever libjpeg-turbo warns about.
Pillow tells a picture that is cut off from one with a few stray bytes, which half of all cameras write.
"""

import re
import struct
from typing import NamedTuple

import simplejpeg
from PIL import Image

from cvserve.errors import InvalidImage

# ITU-T T.81, table B.1
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = frozenset({0xC0, 0xC1})
_START_OF_SCAN = 0xDA
_APP1, _APP2, _APP14 = 0xE1, 0xE2, 0xEE
_FRAME = struct.Struct("!BHHB")
_COUNT = 5  # where a frame says how many components it has
# What TurboJPEG knows, as sampling factors of luma; both chroma components have 1×1.
_SAMPLING = frozenset({0x11, 0x12, 0x21, 0x22, 0x41, 0x14})
_DIVISORS = (8, 4, 2)
# Real files have a dozen segments, a hundred with a large profile, and some ten scans, 18 of a progressive CMYK. Each
# scan walks over the whole picture again, so that a small file with thousands would keep a core busy for minutes.
_MAX_SEGMENTS = 1_000
_MAX_FILLER_BYTES = 64 * 1024
_MAX_SCANS = 100
_SCANS_OF_LARGEST = 20
_SCAN = b"\xff\xda"
_NEXT_MARKER = re.compile(rb"[^\xff]*\xff+[^\xff]")
# Markers whose segments Pillow reads or skips whole; of others it goes through the content byte by byte.
_SIZED = (_START_OF_FRAME | set(range(0xDA, 0xF0)) | {0xC4, 0xCC, 0xFE}) - {_START_OF_SCAN}


class JpegHeader(NamedTuple):
    """What stands before the pixels of a JPEG.

    Attributes:
        width: pixels, as stored.
        height: pixels, as stored.
        is_plain: grey or YCbCr with a usual subsampling; anything else is for Pillow.
        is_single_scan: the first scan is the only one that a decoder looks at.
        has_metadata: EXIF or XMP is there, which may say which side is up.
    """

    width: int
    height: int
    is_plain: bool
    is_single_scan: bool
    has_metadata: bool


def read_header(data: bytes) -> JpegHeader | None:
    """The header (ITU-T T.81, annex B), or None when it is not as it should be: then Pillow finds the words.

    Reads the first frame and stops at the first scan; every length is checked, so that no file can make it
    read beyond its end or walk in circles.
    """
    frame: bytes | None = None
    has_metadata = has_transform = is_sequential = False
    place, end = 2, len(data)
    for _ in range(_MAX_SEGMENTS):
        if place + 4 > end or data[place] != 0xFF:
            return None
        marker = data[place + 1]
        if marker in _STANDALONE or marker == 0xFF:
            return None  # legal as filling, and rare
        size = data[place + 2] << 8 | data[place + 3]
        if size < 2 or place + 2 + size > end:
            return None
        if marker == _START_OF_SCAN:
            # Sequential, with all components in one scan: what comes behind it is never read (T.81, B.2.3).
            is_single_scan = (
                is_sequential and frame is not None and frame[_COUNT : _COUNT + 1] == data[place + 4 : place + 5]
            )
            return None if frame is None else _header(frame, is_single_scan, has_metadata, has_transform)
        if marker in _START_OF_FRAME:
            if frame is not None:
                return None  # two frames: which one would be checked, and which one decoded?
            frame = data[place + 4 : place + 2 + size]
            is_sequential = marker in _SEQUENTIAL
        has_metadata |= marker in (_APP1, _APP2)
        has_transform |= marker == _APP14  # Adobe: the colours may be anything
        place += 2 + size
    return None


def check_markers(data: bytes) -> None:
    """Refuse a JPEG in which Pillow would search long for the first scan: it does so in Python, byte by byte.

    Raises:
        InvalidImage: too much stands before the pixels that is neither picture nor metadata.
    """
    place, filler_bytes, segments = 2, 0, 0
    while (found := _NEXT_MARKER.match(data, place)) is not None:
        filler_bytes += found.end() - place - 2
        segments += 1
        if filler_bytes > _MAX_FILLER_BYTES or segments > _MAX_SEGMENTS:
            raise InvalidImage(
                f"The JPEG has more than {_MAX_FILLER_BYTES:,} filling bytes or {_MAX_SEGMENTS:,} segments before its "
                "pixels, which is too slow to decode; save it anew."
            )
        place = found.end()
        marker = data[place - 1]
        if marker == _START_OF_SCAN:
            return
        if marker in _SIZED:
            place += int.from_bytes(data[place : place + 2], "big")


def check_scans(data: bytes, pixels: int, max_pixels: int) -> None:
    """Refuse a JPEG whose scans together walk over too many pixels.

    Args:
        data: the file.
        pixels: width × height; 0 while they are not known.
        max_pixels: of a picture.

    Raises:
        InvalidImage: there are more than 100 scans, or more than 20 of a picture as large as can be.
    """
    scans = data.count(_SCAN)
    most = min(_MAX_SCANS, _SCANS_OF_LARGEST * max_pixels // pixels) if pixels else _MAX_SCANS
    if scans > most:
        raise InvalidImage(
            f"The JPEG has {scans:,} scans, at most {most} for its size, which is too slow to decode; save it anew."
        )


def choose_divisor(header_size: tuple[int, int], wanted: tuple[int, int] | None) -> int:
    """The largest of 8, 4, 2 that leaves the wanted pixels on both sides, or 1."""
    if wanted is None:
        return 1
    scale = min(header_size[0] // wanted[0], header_size[1] // wanted[1])
    for divisor in _DIVISORS:
        if divisor <= scale:
            return divisor
    return 1


def decode_plain(data: bytes, header: JpegHeader, mode: str, divisor: int) -> Image.Image | None:
    """The picture, `divisor` times smaller, not turned; None where libjpeg-turbo has to warn of something.

    Args:
        data: the file.
        header: of the file; it must be plain.
        mode: `RGB`, or `L` for the luma channel alone, which is exactly what grey means for a JPEG.
        divisor: 1, 2, 4 or 8.

    Returns:
        Mode L or RGB, ⌈width / divisor⌉ × ⌈height / divisor⌉.
    """
    width, height = -(-header.width // divisor), -(-header.height // divisor)
    try:
        pixels = simplejpeg.decode_jpeg(
            data,
            colorspace="RGB" if mode == "RGB" else "GRAY",
            min_width=width,
            min_height=height,
            min_factor=divisor,
            strict=True,
        )
    except ValueError:
        return None
    if pixels.shape[:2] != (height, width):
        return None
    return Image.frombuffer(mode, (width, height), pixels, "raw", mode, 0, 1)


def _header(frame: bytes, is_single_scan: bool, has_metadata: bool, has_transform: bool) -> JpegHeader | None:
    if len(frame) < _FRAME.size:
        return None
    precision, height, width, count = _FRAME.unpack_from(frame)
    components = frame[_FRAME.size : _FRAME.size + 3 * count]
    if len(components) != 3 * count or width == 0 or height == 0:
        return None
    sampling = components[1::3]
    is_colour = count == 3 and sampling[0] in _SAMPLING and sampling[1:] == b"\x11\x11" and not has_transform
    is_ycc = is_colour and components[::3] != b"RGB"
    is_plain = precision == 8 and (count == 1 or is_ycc)
    return JpegHeader(width, height, is_plain, is_single_scan, has_metadata)
