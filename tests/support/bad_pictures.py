"""Pictures that are cut, bent, huge, or not what they seem; each made on the spot."""

import io
import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterator

from PIL import Image

from support.pictures import encoded

PNG_HEAD = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG with its CRC."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *extra: bytes, data: bytes | None = None, depth: int = 8, colour: int = 0) -> bytes:
    """A grey PNG by hand; without `data` its pixels are there only in the header's words."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    pixels = zlib.compress(data if data is not None else b"\0" * 64)
    return PNG_HEAD + head + b"".join(extra) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def good_pictures() -> dict[str, bytes]:
    """One of each format that is allowed, with so much in it that every 64th part of the file matters."""
    noise = bytes(number * number % 251 for number in range(64 * 48))
    image = Image.frombytes("L", (64, 48), noise).convert("RGB")
    return {
        "png": encoded(image),
        "jpeg": encoded(image, "JPEG"),
        "progressive": encoded(image, "JPEG", progressive=True),
        "webp": encoded(image, "WEBP"),
        "lossless": encoded(image, "WEBP", lossless=True),
    }


def truncations(data: bytes, points: int = 64) -> Iterator[bytes]:
    """The file cut at so many points, evenly spread, the first behind its signature."""
    for point in range(points):
        yield data[: 12 + (len(data) - 12) * point // points]


def bit_flips(data: bytes, count: int = 64) -> Iterator[bytes]:
    """The file with one bit turned, at places spread over it."""
    for number in range(count):
        place = 12 + number * 7919 % (len(data) - 12)
        yield data[:place] + bytes([data[place] ^ 1 << number % 8]) + data[place + 1 :]


def not_pictures() -> dict[str, bytes]:
    """Bytes that are no picture at all."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.png", b"x")
    return {
        "text": b"hello world",
        "html": b"<!DOCTYPE html><script>alert(1)</script>",
        "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        "elf": b"\x7fELF\x02\x01\x01" + bytes(57),
        "zip": archive.getvalue(),
        "pickle": pickle.dumps({"a": [1, 2, 3]}),
        "evil pickle": b"cos\nsystem\n(S'touch pwned'\ntR.",
        "npy": b"\x93NUMPY\x01\x00v\x00{'descr': '|O'}",
        "zeros": bytes(10_000),
        "one byte": b"\xff",
        "empty riff": b"RIFF\x00\x00\x00\x00WEBQ",
    }


def other_formats() -> dict[str, bytes]:
    """Pictures of formats that are not allowed by default."""
    image = Image.new("RGB", (8, 8), (200, 0, 0))
    made = {
        name: encoded(image, name) for name in ("GIF", "BMP", "TIFF", "ICO", "JPEG2000", "EPS", "QOI", "DDS", "AVIF")
    }
    return {
        **made,
        "PSD": b"8BPS\x00\x01" + bytes(20),
        "FLI": struct.pack("<IH", 128, 0xAF11) + bytes(122),
        "FITS": b"SIMPLE  =                    T" + b" " * 2850,
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        "SVG with entities": b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>',
        "HEIC": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00",
        "EXR": b"\x76\x2f\x31\x01" + bytes(60),
    }


def too_large() -> dict[str, bytes]:
    """Pictures whose headers say more than is read; a decoder would need gigabytes."""
    frames = struct.pack(">II", 10_000, 0)
    return {
        "png of 20,000 x 20,000": png(20_000, 20_000),
        "png of 65,535 x 65,535": png(65_535, 65_535),
        "png of 2^31-1 x 2^31-1": png(2**31 - 1, 2**31 - 1),
        "png of 64,000,001 x 1": png(64_000_001, 1),
        "jpeg of 65,500 x 65,500": _resized_jpeg(65_500, 65_500),
        "webp of 16,383 x 16,383": _resized_webp(16_383, 16_383),
        "png of 20,000 x 20,000 with XMP": png(20_000, 20_000, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>")),
        "png of 1 x 64,000,000": png(1, 64_000_000),
        "webp of 46 bytes and 64 million pixels": _resized_webp(8_000, 8_000),
        "apng of 10,000 frames": png(8, 8, chunk(b"acTL", frames), data=b"\0" * 72),
        "webp of 1,500 frames": _animated_webp(1_500),
    }


def broken() -> dict[str, bytes]:
    """Pictures that begin well and are damaged inside."""
    good = good_pictures()
    jpeg = good["jpeg"]
    tables = jpeg.index(b"\xff\xc4")
    return {
        "png without pixels": png(9, 9, data=b""),
        "png of 0 x 0": png(0, 0),
        "png of 0 x 9": png(0, 9),
        "png with a bad crc": good["png"][:-20] + b"\0\0\0\0" + good["png"][-16:],
        "png with bad zlib": PNG_HEAD
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", b"no zlib"),
        "png with a bad depth": png(9, 9, depth=3),
        "png with a bad colour": png(9, 9, colour=7),
        "png with 1 GB of zTXt": png(9, 9, chunk(b"zTXt", b"a\0\0" + _bomb()), data=b"\0" * 90),
        "png with a huge chunk length": PNG_HEAD + b"\xff\xff\xff\xffIHDR",
        "jpeg with a bad Huffman table": jpeg[: tables + 4] + b"\xff" * 30 + jpeg[tables + 34 :],
        "jpeg of 0 x 0": _resized_jpeg(0, 0),
        "jpeg with thousands of scans": jpeg[:-2] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" * 5_000 + b"\xff\xd9",
        "jpeg of markers only": b"\xff\xd8\xff" + b"\xff\xe0\x00\x02" * 10_000,
        "jpeg of 15 MB of filling bytes": jpeg[:2] + b"\xff" * 15_000_000 + jpeg[2:],
        "jpeg of 15 MB of nothing": jpeg[:2] + b"\xff\xe0\0\2" + b"a" * 15_000_000 + jpeg[2:],
        "jpeg of 7 million markers": jpeg[:2] + b"\xff\xe0\0\2" + b"\xff\xd0" * 7_000_000 + jpeg[2:],
        "png with thousands of profiles": png(9, 9, chunk(b"iCCP", b"a\0\0x") * 5_000, data=b"\0" * 90),
        "webp without pixels": b"RIFF\x0c\x00\x00\x00WEBPVP8 \x00\x00\x00\x00",
        "webp with a lying length": b"RIFF\xff\xff\xff\xffWEBP" + good["webp"][12:60],
    }


def odd() -> dict[str, bytes]:
    """Pictures that are strange but can be answered."""
    image = Image.linear_gradient("L").resize((40, 30))
    rgb = image.convert("RGB")
    made = {
        "1": encoded(image.convert("1")),
        "L": encoded(image),
        "LA": encoded(image.convert("LA")),
        "P": encoded(rgb.convert("P")),
        "P with transparency": encoded(rgb.convert("P"), transparency=3),
        "RGB with transparency": encoded(rgb, transparency=(1, 2, 3)),
        "RGBA": encoded(rgb.convert("RGBA")),
        "I;16": encoded(image.convert("I;16")),
        "16-bit RGB": png(4, 4, data=(b"\0" + b"\x12\x34" * 12) * 4, depth=16, colour=2),
        "CMYK": encoded(rgb.convert("CMYK"), "JPEG"),
        "grey jpeg": encoded(image, "JPEG"),
        "webp with alpha": encoded(rgb.convert("RGBA"), "WEBP"),
        "100,000 x 1": encoded(Image.new("L", (100_000, 1))),
        "1 x 100,000": encoded(Image.new("L", (1, 100_000))),
        "1 x 1": encoded(Image.new("L", (1, 1))),
        "2 x 2 jpeg": encoded(Image.new("RGB", (2, 2)), "JPEG"),
        "5 MB of XMP": encoded(rgb, "PNG", pnginfo=_long_text()),
        "broken ICC": encoded(rgb, "JPEG", icc_profile=b"\0\xff" * 5_000),
        "png with 1 GB of iCCP": png(9, 9, chunk(b"iCCP", b"a\0\0" + _bomb()), data=b"\0" * 90),
        "png with an archive behind it": encoded(rgb) + not_pictures()["zip"],
        "jpeg with PHP behind it": encoded(rgb, "JPEG") + b"<?php system($_GET[0]); ?>",
        "jpeg with a script inside": encoded(rgb, "JPEG", comment=b"*/alert(1)/*"),
    }
    for value in (0, 9, 255, 65_535):
        made[f"orientation {value}"] = encoded(rgb, "JPEG", exif=_exif(value))
    made["EXIF in a loop"] = encoded(rgb, "JPEG", exif=_looping_exif())
    made["EXIF that ends early"] = encoded(rgb, "JPEG", exif=_exif(6)[:20])
    return made


def _bomb() -> bytes:
    """A megabyte that becomes a gigabyte."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(1024)) + packer.flush()


def _long_text() -> object:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", "<x>" + "x" * 500_000 + "</x>")
    return info


def _exif(orientation: int) -> bytes:
    return b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHHI", 0x0112, 3, 1, orientation, 0, 0)


def _looping_exif() -> bytes:
    """An IFD whose next one is itself, and whose Exif IFD is itself too."""
    return b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<I", 8)


def _resized_jpeg(width: int, height: int) -> bytes:
    jpeg = good_pictures()["jpeg"]
    place = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:place] + struct.pack(">HH", height, width) + jpeg[place + 4 :]


def _resized_webp(width: int, height: int) -> bytes:
    webp = good_pictures()["webp"]
    place = webp.index(b"\x9d\x01\x2a") + 3
    return webp[:place] + struct.pack("<HH", width, height) + webp[place + 4 :]


def _animated_webp(frames: int) -> bytes:
    images = [Image.new("L", (2, 2), number % 2 * 255).convert("RGB") for number in range(frames)]
    return encoded(images[0], "WEBP", save_all=True, append_images=images[1:], lossless=True, duration=1)
