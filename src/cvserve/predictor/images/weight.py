"""Whether a picture is much work for a worker, told from its first bytes alone, without NumPy or Pillow.

The front asks this of each picture before anybody decodes it, so it costs a fraction of a microsecond and may be wrong:
nothing is refused by it.
"""

# So many take a tenth of a second as PNG, a fifth as WebP; a JPEG is decoded at a reduced size, unless it is
# progressive.
HEAVY_PIXELS = 8_000_000
_LEAST_JPEG_BYTES = 32 * 1024  # of a progressive one with so many pixels, also of one colour
_PROGRESSIVE_FRAME = b"\xff\xc2"
_JPEG_HEAD_BYTES = 1024**2


def is_heavy(data: bytes) -> bool:
    """Whether decoding keeps a worker for about a tenth of a second or more.

    Args:
        data: the encoded picture, or anything else.
    """
    if data.startswith(b"\x89PNG"):
        return int.from_bytes(data[16:20], "big") * int.from_bytes(data[20:24], "big") >= HEAVY_PIXELS
    if data.startswith(b"RIFF"):
        return _count_webp_pixels(data[:30]) >= HEAVY_PIXELS
    if len(data) < _LEAST_JPEG_BYTES or not data.startswith(b"\xff\xd8"):
        return False
    place = data.find(_PROGRESSIVE_FRAME, 0, _JPEG_HEAD_BYTES)
    height, width = data[place + 5 : place + 7], data[place + 7 : place + 9]
    return place >= 0 and int.from_bytes(height, "big") * int.from_bytes(width, "big") >= HEAVY_PIXELS


def _count_webp_pixels(head: bytes) -> int:
    """Width × height of the canvas: RFC 9649, sections 2.5 to 2.7."""
    kind = head[12:16]
    if kind == b"VP8L":
        sides = int.from_bytes(head[21:25], "little")
        return ((sides & 0x3FFF) + 1) * ((sides >> 14 & 0x3FFF) + 1)
    if kind == b"VP8X":
        return (int.from_bytes(head[24:27], "little") + 1) * (int.from_bytes(head[27:30], "little") + 1)
    return (int.from_bytes(head[26:28], "little") & 0x3FFF) * (int.from_bytes(head[28:30], "little") & 0x3FFF)
