"""A picture as base64 in a JSON document, read without building anything that its sender sizes.

One document of 18 MiB of brackets or escapes would hold the event loop for seconds and half a gigabyte. So its long
texts, which hold the picture, are put aside unread; the rest must be short, and is then read as any JSON. What is done
to the picture itself goes at the speed of a copy, with a turn for everybody else in between.
"""

import asyncio
import binascii
import json
import secrets
from typing import Any

from cvserve.errors import MalformedBody, MissingFile, PayloadTooLarge

_MAX_REST_BYTES = 64 * 1024
_LONG_TEXT_BYTES = 16 * 1024
_PIECE_CHARACTERS = 4 * 1024**2  # a multiple of 4, so that each piece is base64 by itself
_ESCAPE_CHARACTERS = 6  # of the longest, a backslash, u and four digits
# Stands in the rest for a long text that was put aside; nobody outside can write it.
_MARK = secrets.token_hex(16)
_SPACES = b" \t\n\r\v\f\x1c\x1d\x1e\x1f"  # ASCII that `str.split` takes for space


async def read_json_picture(body: bytes) -> tuple[bytes, str | None]:
    """Read the members "image", a picture as base64 or data URL, and "file_name"; others are ignored.

    Args:
        body: JSON in UTF-8, UTF-16 or UTF-32 (RFC 8259, section 8.1, and those before it).

    Returns:
        The picture's bytes, and its name or None.

    Raises:
        MalformedBody: no JSON, no base64, or a name of more than 16 KiB.
        MissingFile: there is no text "image".
        PayloadTooLarge: more than 64 KiB stand beside texts of more than 16 KiB.
    """
    document, long_texts = _parse(body)
    text = document.get("image") if isinstance(document, dict) else None
    if not isinstance(text, str):
        raise MissingFile('The JSON has no member "image" with a picture as base64.')
    raw = _find_long(text, long_texts)
    data = _decode_short(text) if raw is None else await _decode_long(raw)
    name = document.get("file_name")
    if not isinstance(name, str):
        return data, None
    if _find_long(name, long_texts) is not None:
        raise MalformedBody(f'The member "file_name" has more than {_LONG_TEXT_BYTES:,} bytes; send a shorter one.')
    return data, name


def _parse(body: bytes) -> tuple[Any, list[bytes]]:
    """The document with a mark in place of each long text, and those as they stand in the body, escaped."""
    long_texts: list[bytes] = []
    try:
        if len(body) > _MAX_REST_BYTES:
            body, long_texts = _take_long_texts(body)
        return json.loads(body), long_texts
    except (ValueError, RecursionError):
        raise MalformedBody("The body is not JSON.") from None


def _take_long_texts(body: bytes) -> tuple[bytes, list[bytes]]:
    encoding = json.detect_encoding(body)
    if not encoding.startswith("utf-8"):
        body = body.decode(encoding, "surrogatepass").encode("utf-8", "surrogatepass")
    pieces = body.split(b'"', _MAX_REST_BYTES)
    rest, long_texts, rest_bytes, place = [pieces[0]], [], len(pieces[0]), 1
    while place < len(pieces) and rest_bytes <= _MAX_REST_BYTES:
        end = place + 1
        while end < len(pieces) and _ends_in_escape(pieces[end - 1]):
            end += 1
        text = b'"'.join(pieces[place:end])
        if len(text) > _LONG_TEXT_BYTES:
            long_texts.append(text)
            text = f"{_MARK}{len(long_texts) - 1}".encode()
        behind = pieces[end : end + 1]  # nothing, where the body ends within a text: then it is no JSON
        rest += [b'"', text, *(b'"' for _ in behind), *behind]
        rest_bytes += 2 + len(text) + sum(map(len, behind))
        place = end + 1
    if rest_bytes > _MAX_REST_BYTES or len(pieces) > _MAX_REST_BYTES:
        raise PayloadTooLarge(
            f"The JSON has more than {_MAX_REST_BYTES:,} bytes beside the picture; send the picture and its name alone."
        )
    return b"".join(rest), long_texts


def _ends_in_escape(piece: bytes) -> bool:
    """Whether the quotation mark behind a piece belongs to the text: an odd number of backslashes is before it."""
    return piece.endswith(b"\\") and (len(piece) - len(piece.rstrip(b"\\"))) % 2 == 1


def _find_long(text: str, long_texts: list[bytes]) -> bytes | None:
    return long_texts[int(text.removeprefix(_MARK))] if text.startswith(_MARK) else None


def _decode_short(text: str) -> bytes:
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError:  # binascii's own is one, and so is that of a letter beyond ASCII
        raise _make_no_base64() from None


async def _decode_long(raw: bytes) -> bytes:
    """Decode a text as it stands in the body, piece by piece."""
    spaces = b" "  # any other must be escaped in JSON
    if b"\\" in raw:
        spaces = _SPACES
        raw = await _unescape(raw)
    if raw.startswith(b"data:"):
        raw = raw.partition(b",")[2]
    characters = raw.translate(None, spaces)
    pieces = []
    for begin in range(0, len(characters), _PIECE_CHARACTERS):
        await asyncio.sleep(0)
        piece = characters[begin : begin + _PIECE_CHARACTERS]
        is_last = begin + _PIECE_CHARACTERS >= len(characters)
        try:
            pieces.append(binascii.a2b_base64(piece, strict_mode=True))
        except ValueError:
            raise _make_no_base64() from None
        if piece.endswith(b"=") and not is_last:
            raise _make_no_base64()
    return b"".join(pieces)


async def _unescape(raw: bytes) -> bytes:
    """Read the escapes of a text that can be base64: ASCII, and no backslash in it."""
    if b"\\\\" in raw:
        raise _make_no_base64()
    pieces, begin = [], 0
    while begin < len(raw):
        await asyncio.sleep(0)
        end = begin + _PIECE_CHARACTERS
        backslash = raw.rfind(b"\\", end - _ESCAPE_CHARACTERS + 1, end)
        if backslash >= 0 and end < len(raw):
            end = backslash  # so that no escape is cut
        try:
            pieces.append(json.loads(b'"%b"' % raw[begin:end]).encode("ascii"))
        except ValueError:
            raise _make_no_base64() from None
        begin = end
    return b"".join(pieces)


def _make_no_base64() -> MalformedBody:
    return MalformedBody('The member "image" is not base64.')
