"""Whether a picture is much work for a worker, told from its first bytes alone, without NumPy or Pillow.

The front asks this of each picture before anybody decodes it, so it costs a fraction of a microsecond and may be wrong:
nothing is refused by it.
"""

# So many take a tenth of a second as PNG, a fifth as WebP; a JPEG is decoded at a reduced size, unless it is
# progressive.
HEAVY_PIXELS = 8_000_000
_LEAST_JPEG_BYTES = 32 * 1024  # of a progressive one with so many pixels, also of one colour
_SEQUENTIAL_FRAMES = (0xC0, 0xC1)
# A camera writes its frame as the fifth segment or so.
_MAX_JPEG_SEGMENTS = 32


def is_heavy(data: bytes) -> bool:
    """Whether decoding keeps a worker for about a tenth of a second or more.

    Args:
        data: the encoded picture, or anything else.
    """
    if data.startswith(b"\x89PNG"):
        return int.from_bytes(data[16:20], "big") * int.from_bytes(data[20:24], "big") >= HEAVY_PIXELS
    if data.startswith(b"RIFF"):
        return _count_webp_pixels(data[:30]) >= HEAVY_PIXELS
    return len(data) >= _LEAST_JPEG_BYTES and data.startswith(b"\xff\xd8") and _is_heavy_jpeg(data)


def _is_heavy_jpeg(data: bytes) -> bool:
    """Whether its frame is another one than the usual, and large; also when that does not stand where it should."""
    place = 2
    for _ in range(_MAX_JPEG_SEGMENTS):
        head = data[place : place + 9]
        if len(head) < 9 or head[0] != 0xFF or head[1] in _SEQUENTIAL_FRAMES:
            return len(head) == 9 and head[0] != 0xFF
        if 0xC2 <= head[1] <= 0xCF and head[1] not in (0xC4, 0xC8, 0xCC):
            return (head[5] << 8 | head[6]) * (head[7] << 8 | head[8]) >= HEAVY_PIXELS
        place += 2 + (head[2] << 8 | head[3])
    return True


def _count_webp_pixels(head: bytes) -> int:
    """Width × height of the canvas: RFC 9649, sections 2.5 to 2.7."""
    kind = head[12:16]
    if kind == b"VP8L":
        sides = int.from_bytes(head[21:25], "little")
        return ((sides & 0x3FFF) + 1) * ((sides >> 14 & 0x3FFF) + 1)
    if kind == b"VP8X":
        return (int.from_bytes(head[24:27], "little") + 1) * (int.from_bytes(head[27:30], "little") + 1)
    return (int.from_bytes(head[26:28], "little") & 0x3FFF) * (int.from_bytes(head[28:30], "little") & 0x3FFF)
