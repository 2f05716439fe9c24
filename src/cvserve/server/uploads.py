"""Pictures out of a request's body: the image itself, multipart, or JSON with base64."""

import asyncio
import base64
import binascii
import json
from typing import Any, NamedTuple

from cvserve.errors import (
    InvalidParameter,
    MalformedBody,
    MissingFile,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from cvserve.predictor.images.signatures import image_format
from cvserve.server.context import Receive, Scope, header
from cvserve.server.disconnect import ClientGone, next_message
from cvserve.server.multipart import Part, parse_multipart
from cvserve.texts import drop_unprintable, list_some

FIELD = "file"
MAX_BATCH_IMAGES = 64
MAX_BATCH_BYTES = 64 * 1024**2
_MAX_OTHER_PARTS = 16
_MAX_NAMES = 5
_MAX_QUOTED_CHARACTERS = 60
_WAYS = 'send the picture as multipart field \'file\', as the body itself, or as JSON {"image": "<base64>"}'


class Upload(NamedTuple):
    """One picture as it came.

    Attributes:
        data: the encoded picture; may be anything else, nobody looked yet.
        file_name: as the sender calls it, or None.
    """

    data: bytes
    file_name: str | None = None


async def read_one(scope: Scope, receive: Receive, max_bytes: int, timeout_s: float) -> Upload:
    """The one picture of `POST /predict`.

    Raises:
        RequestError: too large, broken, of another kind, or without a picture.
        InvalidParameter: more than one picture.
        ClientGone: the connection was closed before the body was complete.
    """
    body = await read_body(scope, receive, max_bytes, timeout_s)
    kind, content_type = _media_type(scope)
    is_form = kind == "multipart/form-data"
    # What begins like an image is one, whatever its Content-Type says: clients are careless with it.
    if not (is_form and body.startswith(b"--")) and image_format(body) is not None:
        return Upload(body)
    if is_form:
        files = _files(parse_multipart(body, content_type, 1 + _MAX_OTHER_PARTS))
        if len(files) > 1:
            raise InvalidParameter(f"{len(files)} pictures in one request; send one, or use POST /predict/batch.")
        return files[0]
    if kind == "application/json":
        return _from_json(body)
    if kind.startswith("image/") or (kind in ("", "application/octet-stream") and not _unlike_a_picture(kind, body)):
        return Upload(body)  # the decoder says what is wrong with it
    raise UnsupportedMediaType(f"The body is '{_quote(kind)}'; {_WAYS}.")


async def read_many(scope: Scope, receive: Receive, timeout_s: float) -> list[Upload]:
    """The pictures of `POST /predict/batch`, in order.

    Raises:
        RequestError, ClientGone: as `read_one`.
    """
    body = await read_body(scope, receive, MAX_BATCH_BYTES, timeout_s)
    kind, content_type = _media_type(scope)
    if kind != "multipart/form-data":
        raise UnsupportedMediaType(
            f"The body is '{_quote(kind)}'; send up to {MAX_BATCH_IMAGES} pictures as multipart fields 'file'."
        )
    files = _files(parse_multipart(body, content_type, MAX_BATCH_IMAGES + _MAX_OTHER_PARTS))
    if len(files) > MAX_BATCH_IMAGES:
        raise PayloadTooLarge(f"{len(files)} pictures in one request; send at most {MAX_BATCH_IMAGES}.")
    return files


async def read_body(scope: Scope, receive: Receive, max_bytes: int, timeout_s: float) -> bytes:
    """The whole body, counted while it comes.

    Raises:
        PayloadTooLarge: more than `max_bytes`; known from Content-Length before anything is read.
        UnsupportedMediaType: it is compressed.
        MalformedBody: it did not arrive in time.
        ClientGone: the connection was closed before the body was complete.
    """
    if (header(scope, b"content-encoding") or "identity").lower() != "identity":
        raise UnsupportedMediaType("The body is compressed; send it as it is (Content-Encoding: identity).")
    length = header(scope, b"content-length")
    if length is not None and length.isdecimal() and int(length) > max_bytes:
        raise _too_large(max_bytes)
    message = await _first_message(receive, timeout_s)
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
        return body
    return await _rest_of_body(receive, body, max_bytes, timeout_s)


async def _rest_of_body(receive: Receive, begin: bytes, max_bytes: int, timeout_s: float) -> bytes:
    chunks, size_bytes, more = [begin], len(begin), True
    try:
        async with asyncio.timeout(timeout_s):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                chunks.append(message.get("body", b""))
                size_bytes += len(chunks[-1])
                if size_bytes > max_bytes:
                    raise _too_large(max_bytes)
                more = message.get("more_body", False)
    except TimeoutError:
        raise _too_slow(timeout_s) from None
    return b"".join(chunks)


async def _first_message(receive: Receive, timeout_s: float) -> Any:
    try:
        message = await next_message(receive, timeout_s)
    except TimeoutError:
        raise _too_slow(timeout_s) from None
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message


def _files(parts: list[Part]) -> list[Upload]:
    files = [Upload(part.data, part.file_name) for part in parts if part.name == FIELD and part.file_name is not None]
    if files:
        return files
    names = sorted({part.name for part in parts})
    if FIELD in names:
        raise MissingFile("The field 'file' is text, not a file; send it with a file name.")
    found = f"it has {list_some((repr(_quote(name)) for name in names), _MAX_NAMES)}" if names else "it has no fields"
    raise MissingFile(f"The form has no field 'file' with a picture: {found}.")


def _from_json(body: bytes) -> Upload:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedBody("The body is not JSON.") from None
    text = document.get("image") if isinstance(document, dict) else None
    if not isinstance(text, str):
        raise MissingFile('The JSON has no member "image" with a picture as base64.')
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedBody('The member "image" is not base64.') from None
    name = document.get("file_name")
    return Upload(data, name if isinstance(name, str) else None)


def _media_type(scope: Scope) -> tuple[str, str]:
    content_type = header(scope, b"content-type") or ""
    return content_type.partition(";")[0].strip().lower(), content_type


def _unlike_a_picture(kind: str, body: bytes) -> bool:
    """An empty body without a type is no picture that went wrong: nothing was sent."""
    return not kind and not body


def _quote(text: str) -> str:
    return drop_unprintable(text, _MAX_QUOTED_CHARACTERS, forbidden="<>\"'&\\")


def _too_large(max_bytes: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {max_bytes:,} bytes; send a smaller picture.")


def _too_slow(timeout_s: float) -> MalformedBody:
    return MalformedBody(f"The body did not arrive within {timeout_s:g} s.")
