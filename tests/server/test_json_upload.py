"""A picture in JSON: every way to write it, and nothing that its sender can make expensive."""

import asyncio
import base64
import json
import time
from collections.abc import Callable

import httpx
import pytest

from cvserve.errors import CvserveError, MalformedBody, PayloadTooLarge
from cvserve.server.json_upload import read_json_picture
from support.answers import assert_problem
from support.pictures import grey

LARGE = bytes(range(256)) * 400  # 136 kB of base64: more than is read as one document
SMALL = b"abc"
BASE64 = {True: base64.b64encode(LARGE).decode(), False: base64.b64encode(SMALL).decode()}
LIMIT = 18 * 2**20


def read(body: bytes) -> tuple[bytes, str | None]:
    return asyncio.run(read_json_picture(body))


def dump(document: object, **options: object) -> bytes:
    return json.dumps(document, **options).encode()  # type: ignore[arg-type]


WAYS: dict[str, Callable[[str], bytes]] = {
    "alone": lambda text: dump({"image": text}),
    "data URL": lambda text: dump({"image": "data:image/png;base64," + text}),
    "among others": lambda text: dump({"a": [1, {"b": None}], "image": text, "z": 'q"\\"'}, indent=2),
    "of two the last": lambda text: b'{"image": "QUJD", "image": "%b"}' % text.encode(),
    "beside long texts": lambda text: dump({"long": "x" * 70_000, "image": text, 'k"' + "y" * 20_000: 1}),
    "not the inner one": lambda text: dump({"inner": {"image": "!" * 20_000}, "image": text}),
    "not what a text says": lambda text: dump({"a": '{"image": "' + "!" * 20_000 + '"}', "image": text}),
    "escaped name": lambda text: b'{"\\u0069mage": "%b"}' % text.encode(),
    "escaped slashes": lambda text: b'{"image": "%b"}' % text.replace("/", "\\/").encode(),
    "escaped letters": lambda text: b'{"image": "%b"}' % "".join(f"\\u{ord(letter):04x}" for letter in text).encode(),
    "lines": lambda text: dump({"image": "\r\n".join(text[at : at + 76] for at in range(0, len(text), 76))}),
    "blanks": lambda text: dump({"image": " ".join(text) + " "}),
    "UTF-16": lambda text: json.dumps({"image": text}).encode("utf-16"),
    "UTF-32": lambda text: json.dumps({"image": text}).encode("utf-32-be"),
    "byte order mark": lambda text: b"\xef\xbb\xbf" + dump({"image": text}),
    "other letters": lambda text: dump({"ä": "ö€" * 9_000, "image": text}, ensure_ascii=False),
}


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_write_it_is_read(way: str, large: bool) -> None:
    assert read(WAYS[way](BASE64[large])) == ((LARGE if large else SMALL), None)


@pytest.mark.parametrize("large", [False, True])
def test_a_name_is_read_wherever_it_stands(large: bool) -> None:
    for members in ({"file_name": 'a"ä.png', "image": BASE64[large]}, {"image": BASE64[large], "file_name": 'a"ä.png'}):
        assert read(dump(members))[1] == 'a"ä.png'
    assert read(dump({"image": BASE64[large], "file_name": 3}))[1] is None
    with pytest.raises(MalformedBody, match="file_name"):
        read(dump({"image": BASE64[True], "file_name": "x" * 20_000}))


@pytest.mark.parametrize(
    "body",
    [
        b'{"image": "%b',
        b'{"image": "%b"',
        b'{"image": "%b\\"}',
        b'{"image": "%b\\\\"',
        b'{"image" "%b"}',
        b'{"image": "%b"}}',
        b'{"image": "%b!"}',
        b'{"image": "%b=AAA"}',
        b'{"image": "A%b"}',
        b'{"image": "%b\n"}',
        b'{"image": "%b\xff"}',
        b'{"image": "%b\xc3\xa4"}',
        b'{"image": "%b\\u00e4"}',
        b'{"image": "%b\\q"}',
        b'{"image": "%b\\ud800"}',
    ],
)
@pytest.mark.parametrize("large", [False, True])
def test_what_is_wrong_is_malformed(body: bytes, large: bool) -> None:
    with pytest.raises(MalformedBody):
        read(body % BASE64[large].encode())


@pytest.mark.parametrize("escape", ["\\/", "\\u002f"])
@pytest.mark.parametrize("before", range(6))
def test_no_escape_is_cut_where_a_large_text_is(escape: str, before: int) -> None:
    text = "A" * before + "/" * (5 * 2**20) + "A" * (-before % 4)
    assert read(b'{"image": "%b"}' % text.replace("/", escape).encode())[0] == base64.b64decode(text)


def test_padding_in_the_middle_of_a_large_picture_is_no_base64() -> None:
    four = "A" * (4 * 2**20 - 4) + "AAA="
    with pytest.raises(MalformedBody):
        read(dump({"image": four + "AAAA"}))
    assert len(read(dump({"image": "AAAA" + four}))[0]) == 3 * 2**20 + 2


EXPENSIVE = {
    "lists": b"[" + b"[]," * (LIMIT // 3) + b"[]]",
    "objects": b"[" + b"{}," * (LIMIT // 3) + b"{}]",
    "members": b"{" + b",".join(b'"%d":1' % number for number in range(LIMIT // 12)) + b"}",
    "texts": b"[" + b'"",' * (LIMIT // 3) + b'""]',
    "nesting": b"[" * LIMIT,
    "quotation marks": b'{"image": "' + b'\\"' * (LIMIT // 2) + b'"}',
    "open marks": b'"' * LIMIT,
    "numbers": b'{"image": ' + b"1" * LIMIT + b"}",
    "space": b'{"image": ' + b" " * LIMIT + b'"QUJD"}',
    "backslashes": b'{"image": "' + b"\\" * LIMIT + b'"}',
    "blanks in base64": b'{"image": "' + b"aa " * (LIMIT // 3) + b'"}',
    "escapes": b'{"image": "' + b"\\u0041" * (LIMIT // 6) + b'"}',
    "escaped slashes": b'{"image": "' + b"\\/" * (LIMIT // 2) + b'"}',
    "base64": b'{"image": "' + b"A" * LIMIT + b'"}',
    "UTF-16": ('{"image": "' + "A" * (LIMIT // 2) + '"}').encode("utf-16"),
}


async def find_longest_stop(body: bytes) -> tuple[float, float]:
    """CPU seconds of the longest turn of an event loop that reads this body, and of one that reads plain base64."""
    longest = []
    for each in (body, EXPENSIVE["base64"]):
        task = asyncio.create_task(read_json_picture(each))
        longest.append(0.0)
        while not task.done():
            begin = time.thread_time()
            await asyncio.sleep(0)  # one turn: the task goes one step
            longest[-1] = max(longest[-1], time.thread_time() - begin)
        error = task.exception()
        assert error is None or isinstance(error, CvserveError)
    return longest[0], longest[1]


@pytest.mark.parametrize("kind", EXPENSIVE)
def test_no_document_holds_the_loop_longer_than_a_picture_of_its_size(kind: str) -> None:
    stop_s, usual_s = asyncio.run(find_longest_stop(EXPENSIVE[kind]))
    print(f"{kind}: {1000 * stop_s:.0f} ms, a picture {1000 * usual_s:.0f} ms")
    assert stop_s < 5 * usual_s + 0.02  # the documents of which this is about took a hundred times as long


def test_structure_beside_the_picture_is_limited_and_told(client: httpx.Client) -> None:
    for body in (EXPENSIVE["lists"], EXPENSIVE["members"]):
        answer = client.post("/predict", content=body, headers={"Content-Type": "application/json"})
        assert "beside the picture" in assert_problem(answer, "payload_too_large")["detail"]
    with pytest.raises(PayloadTooLarge):
        read(dump({"image": BASE64[True], "rest": [0] * 30_000}))
    image = base64.b64encode(grey(0)).decode()
    assert client.post("/predict", json={"image": image, "rest": ["x" * 20_000] * 30}).status_code == 200
