"""Small files that are as costly to decode as their format allows; each made on the spot."""

import struct
import zlib
from collections.abc import Callable

from PIL import Image

from support.bad_pictures import PNG_HEAD, chunk
from support.pictures import encoded

SIDE = 8_000  # 64 million pixels: as many as are read
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PALETTE = chunk(b"PLTE", bytes(range(256)) * 3)
_TURNED = chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0")
# VP8L of one colour and transparent, 8000×8000.
WEBP_46_BYTES = bytes.fromhex(
    "5249464626000000574542505650384c190000002f3fdfcf17075081540820000a1a02495bbced8f8f88e87f0000"
)


def png(
    depth: int, colour: int, *extra: bytes, size: tuple[int, int] = (SIDE, SIDE), fill: int = 0x7F, line: int = 0
) -> bytes:
    """A PNG of one tone; `line` is the filter of its rows."""
    width, height = size
    row = bytes([line]) + bytes([fill]) * ((width * _CHANNELS[colour] * depth + 7) // 8)
    packer = zlib.compressobj(1)
    rows = max(1, 2**20 // len(row))
    pixels = b"".join(packer.compress(row * min(rows, height - top)) for top in range(0, height, rows))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return PNG_HEAD + head + b"".join(extra) + chunk(b"IDAT", pixels + packer.flush()) + chunk(b"IEND", b"")


def jpeg(mode: str, *, scans: int = 0, **options: object) -> bytes:
    """A JPEG of one tone, its last scan repeated so many times."""
    data = encoded(Image.new(mode, (SIDE, SIDE), 99), "JPEG", **options)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + b"\xff\xd9"


def webp(size: tuple[int, int], **options: object) -> bytes:
    """A transparent WebP of one colour."""
    return encoded(Image.new("RGBA", size, (3, 99, 4, 100)), "WEBP", method=0, **options)


def png_with_exif() -> bytes:
    """A PNG whose EXIF names the same 15 MB in each of 200 tags."""
    size, count = 15_000_000, 200
    tags = b"".join(struct.pack("<HHII", 0x1000 + number, 7, size, 100) for number in range(count))
    exif = b"II*\0\x08\0\0\0" + struct.pack("<H", count) + tags + bytes(4 + size)
    return png(8, 2, chunk(b"eXIf", exif), size=(8, 8))


BOMBS: dict[str, Callable[[], bytes]] = {
    "16-bit grey": lambda: png(16, 0),
    "palette with transparency": lambda: png(8, 3, _PALETTE, chunk(b"tRNS", bytes(range(200)))),
    "webp, lossless": lambda: webp((SIDE, SIDE // 2), lossless=True),
    "EXIF that names itself": png_with_exif,
    "webp of 46 bytes": lambda: WEBP_46_BYTES,
    "webp, lossy": lambda: webp((SIDE, SIDE // 2)),
    "16-bit grey with a transparent tone": lambda: png(16, 0, chunk(b"tRNS", b"\x7f\x7f")),
    "16-bit grey with alpha": lambda: png(16, 4),
    "16-bit RGB": lambda: png(16, 2),
    "16-bit RGBA": lambda: png(16, 6),
    "1 bit with a transparent tone": lambda: png(1, 0, chunk(b"tRNS", b"\0\0")),
    "grey with alpha": lambda: png(8, 4),
    "RGB with a transparent colour": lambda: png(8, 2, chunk(b"tRNS", b"\0\x7f" * 3)),
    "RGBA": lambda: png(8, 6),
    "RGBA, turned": lambda: png(8, 6, _TURNED),
    "RGBA, Paeth": lambda: png(8, 6, line=4, fill=3),
    "RGBA, 16 wide": lambda: png(8, 6, size=(16, 4_000_000)),
    "RGBA, 16 high": lambda: png(8, 6, size=(4_000_000, 16)),
    "16-bit grey, 1 wide": lambda: png(16, 0, size=(1, 64_000_000)),
    "RGB jpeg, progressive, 20 scans": lambda: jpeg("RGB", scans=10, progressive=True),
    "CMYK jpeg, progressive": lambda: jpeg("CMYK", progressive=True),
    "CMYK jpeg": lambda: jpeg("CMYK"),
    "jpeg with 100 scans": lambda: jpeg("RGB", scans=88, progressive=True),
}
