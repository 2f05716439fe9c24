"""Reading pictures from a request's body: the image itself, multipart, or JSON with base64."""

import asyncio
import io
from typing import NamedTuple

from cvserve.errors import (
    InvalidParameter,
    MissingFile,
    PayloadTooLarge,
    RequestTimeout,
    UnsupportedMediaType,
)
from cvserve.predictor.images.signatures import detect_format
from cvserve.server.byte_budget import Hold
from cvserve.server.context import Receive, Scope, content_length, header
from cvserve.server.disconnect import ClientGone, has_come
from cvserve.server.json_upload import read_json_picture
from cvserve.server.multipart import Part, parse_multipart
from cvserve.texts import drop_unprintable, list_some

FIELD = "file"
MAX_BATCH_IMAGES = 64
MAX_BATCH_BYTES = 64 * 1024**2
_MAX_OTHER_PARTS = 16
_JOINED_BYTES = 4 * 1024**2
_MAX_NAMES = 5
_MAX_QUOTED_CHARACTERS = 60
_WAYS = 'send the picture as multipart field \'file\', as the body itself, or as JSON {"image": "<base64>"}'


class Upload(NamedTuple):
    """One picture as it was sent.

    Attributes:
        data: the encoded picture; it may be anything else, as nothing is decoded here.
        file_name: the name that the client sent with it, or None.
    """

    data: bytes
    file_name: str | None = None


async def read_one(scope: Scope, receive: Receive, hold: Hold, max_bytes: int, timeout_s: float) -> Upload:
    """Read the one picture of `POST /predict`: the body itself, a form's field `file`, or JSON with base64.

    Raises:
        RequestError: too large, broken, of another kind, or without a picture.
        InvalidParameter: more than one picture.
        ClientGone: the connection was closed before the body was complete.
    """
    body = await read_body(scope, receive, hold, max_bytes, timeout_s)
    kind, content_type = _split_content_type(scope)
    is_form = kind == "multipart/form-data"
    # What begins like an image is one, whatever its Content-Type says: clients are careless with it.
    if not (is_form and body.startswith(b"--")) and detect_format(body) is not None:
        return Upload(body)
    if is_form:
        files = _select_files(parse_multipart(body, content_type, 1 + _MAX_OTHER_PARTS))
        if len(files) > 1:
            raise InvalidParameter(f"{len(files)} pictures in one request; send one, or use POST /predict/batch.")
        return files[0]
    if kind == "application/json":
        return Upload(*await read_json_picture(body))
    # A body of no type may be a damaged picture, but an empty one means that nothing was sent.
    if kind.startswith("image/") or kind == "application/octet-stream" or (not kind and body):
        return Upload(body)  # the decoder says what is wrong with it
    raise UnsupportedMediaType(f"The body is '{_quote(kind)}'; {_WAYS}.")


async def read_many(scope: Scope, receive: Receive, hold: Hold, timeout_s: float) -> list[Upload]:
    """Read the pictures of `POST /predict/batch`, in order: at most 64 fields `file` of a form, 64 MiB in all.

    Raises:
        RequestError: too large, too many, broken, of another kind, or without a picture.
        ClientGone: the connection was closed before the body was complete.
    """
    body = await read_body(scope, receive, hold, MAX_BATCH_BYTES, timeout_s)
    kind, content_type = _split_content_type(scope)
    if kind != "multipart/form-data":
        raise UnsupportedMediaType(
            f"The body is '{_quote(kind)}'; send up to {MAX_BATCH_IMAGES} pictures as multipart fields 'file'."
        )
    files = _select_files(parse_multipart(body, content_type, MAX_BATCH_IMAGES + _MAX_OTHER_PARTS))
    if len(files) > MAX_BATCH_IMAGES:
        raise PayloadTooLarge(f"{len(files)} pictures in one request; send at most {MAX_BATCH_IMAGES}.")
    return files


async def read_body(scope: Scope, receive: Receive, hold: Hold, max_bytes: int, timeout_s: float) -> bytes:
    """Read the whole body into memory; its size is counted while it comes.

    Args:
        scope: ASGI's description of the request.
        receive: ASGI's callable for the body.
        hold: counts its bytes.
        max_bytes: a larger body is refused.
        timeout_s: for the whole body to arrive.

    Raises:
        PayloadTooLarge: more than `max_bytes`, or than all requests may hold; known from Content-Length before
            anything is read.
        UnsupportedMediaType: it is compressed.
        RequestTimeout: it did not arrive in time.
        Overloaded: there is no room for it beside the bytes of other requests.
        ClientGone: the connection was closed before the body was complete.
    """
    if (header(scope, b"content-encoding") or "identity").lower() != "identity":
        raise UnsupportedMediaType("The body is compressed; send it as it is (Content-Encoding: identity).")
    announced_bytes = content_length(scope)
    if announced_bytes is not None and announced_bytes > max_bytes:
        raise _make_too_large(max_bytes)
    if has_come(receive):  # as most have; a timer would cost more than to read such a one
        return await _receive_body(receive, hold, max_bytes)
    if announced_bytes is not None:
        hold.check(announced_bytes)
    try:
        async with asyncio.timeout(timeout_s):
            return await _receive_body(receive, hold, max_bytes)
    except TimeoutError:
        raise RequestTimeout(f"The body did not arrive within {timeout_s:g} s.") from None


async def _receive_body(receive: Receive, hold: Hold, max_bytes: int) -> bytes:
    pieces: list[bytes] = []
    # Grows in place and gives up its bytes without a copy: a list of pieces to be joined would be there twice.
    large = io.BytesIO()
    size_bytes, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        pieces.append(message.get("body", b""))
        size_bytes += len(pieces[-1])
        if size_bytes > max_bytes:
            raise _make_too_large(max_bytes)
        hold.grow(len(pieces[-1]))
        if size_bytes > _JOINED_BYTES:
            large.writelines(pieces)
            pieces.clear()
        more = message.get("more_body", False)
    if size_bytes > _JOINED_BYTES:
        return large.getvalue()
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _select_files(parts: list[Part]) -> list[Upload]:
    files = [Upload(part.data, part.file_name) for part in parts if part.name == FIELD and part.file_name is not None]
    if files:
        return files
    names = sorted({part.name for part in parts})
    if FIELD in names:
        raise MissingFile("The field 'file' is text, not a file; send it with a file name.")
    found = f"it has {list_some((repr(_quote(name)) for name in names), _MAX_NAMES)}" if names else "it has no fields"
    raise MissingFile(f"The form has no field 'file' with a picture: {found}.")


def _split_content_type(scope: Scope) -> tuple[str, str]:
    content_type = header(scope, b"content-type") or ""
    return content_type.partition(";")[0].strip().lower(), content_type


def _quote(text: str) -> str:
    return drop_unprintable(text, _MAX_QUOTED_CHARACTERS, forbidden="<>\"'&\\")


def _make_too_large(max_bytes: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {max_bytes:,} bytes; send a smaller picture.")
