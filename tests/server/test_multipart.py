"""Multipart bodies as careless and hostile clients send them (reliability C2)."""

import base64
from collections.abc import Callable

import httpx
import pytest

from cvserve.history.history import History
from support.answers import assert_problem
from support.pictures import grey
from support.threaded import ThreadedServer

PICTURE = grey(100)
HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
TAIL = b"\r\n--b--\r\n"
Post = Callable[..., httpx.Response]


@pytest.fixture
def post(client: httpx.Client) -> Post:
    """POST /predict with a body and a type."""

    def sent(body: bytes, content_type: str | bytes = "multipart/form-data; boundary=b") -> httpx.Response:
        kind = content_type.encode() if isinstance(content_type, str) else content_type
        return client.post("/predict", content=body, headers={b"Content-Type": kind})

    return sent


def field(name: str, data: bytes = b"x") -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + data + b"\r\n"


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "b" * 71,
        "multipart/form-data; boundary=" + "b" * 257,
        "multipart/form-data; boundary=" + "b" * 10_000,
        'multipart/form-data; boundary="b"c"',
        "multipart/form-data; boundary=\xe4",
        "multipart/form-data; boundary*=utf-7''b",
        "multipart/form-data; boundary=b\tb",
        "multipart/form-data; =b",
        "multipart/form-data;;;",
        "multipart/form-data; boundary",
    ],
)
def test_boundary_that_cannot_be_used_is_malformed(post: Post, content_type: str) -> None:
    assert_problem(post(HEAD + PICTURE + TAIL, content_type.encode("latin-1")), "malformed_body")


@pytest.mark.parametrize("boundary", ["b", '"b"'])
def test_boundary_may_be_quoted(post: Post, boundary: str) -> None:
    assert post(HEAD + PICTURE + TAIL, f"multipart/form-data; boundary={boundary}").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        b"--c\r\n",
        HEAD,
        HEAD + PICTURE,
        HEAD + PICTURE + b"\r\n--b",
        HEAD + PICTURE + b"\r\n--b\r\n",
        (HEAD + PICTURE + TAIL)[: len(HEAD) // 2],
        (HEAD + PICTURE + TAIL)[:-6],
        b"--b\r\n\r\nx" + TAIL,
        b"--b\r\nContent-Type: image/png\r\n\r\nx" + TAIL,
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx" + TAIL,
        b'--b\r\nContent-Disposition: attachment; name="file"; filename="a"\r\n\r\nx' + TAIL,
        b"--b\r\nContent-Disposition: form-data; name=file; filename=a\r\nX: " + b"y" * 20_000 + b"\r\n\r\nx" + TAIL,
        b"--b\r\n" + b"X: y\r\n" * 1_000 + b"\r\nx" + TAIL,
        b"--b\r\n" + b"".join(b"X%d: y\r\n" % number for number in range(40)) + b"\r\nx" + TAIL,
        b"--b\r\n: no name\r\n\r\nx" + TAIL,
        b"--b\r\nno colon\r\n\r\nx" + TAIL,
        b"--b\r\nContent-Disposition: form-data; name=\xff\xfe; filename*=utf-99''%FF\r\n\r\nx" + TAIL + b"\0",
        b"\r\n" * 500_000,
        b"-" * 1_000_000,
        b"\x00" * 1_000,
    ],
)
def test_broken_multipart_is_malformed(post: Post, body: bytes) -> None:
    answer = post(body)
    assert answer.status_code in (400, 422)
    assert_problem(answer, answer.json()["code"])
    assert answer.json()["code"] in ("malformed_body", "missing_file")


@pytest.mark.parametrize("cut", [1, 5, 20, 60, 100, 140, 180])
def test_body_that_ends_too_early_is_malformed(post: Post, cut: int) -> None:
    assert_problem(post((HEAD + PICTURE + TAIL)[:-cut] if cut > 4 else HEAD + PICTURE), "malformed_body")


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (b"--b--\r\n", "no fields"),
        (field("image") + b"--b--", "'image'"),
        (field("file") + b"--b--", "text"),
        (HEAD.replace(b'"file"', b'"File"') + PICTURE + TAIL, "'File'"),
        (HEAD.replace(b'"file"', b'"<b>\xc3\xa4&"') + PICTURE + TAIL, "'bä'"),
    ],
)
def test_form_without_a_file_tells_the_name_that_is_expected(post: Post, body: bytes, hint: str) -> None:
    detail = assert_problem(post(body), "missing_file")["detail"]
    assert "'file'" in detail
    assert hint in detail


def test_two_files_are_one_too_many(post: Post) -> None:
    detail = assert_problem(post(HEAD + PICTURE + b"\r\n" + HEAD + PICTURE + TAIL), "invalid_parameter")["detail"]
    assert "/predict/batch" in detail


@pytest.mark.parametrize("count", [18, 1_001, 100_000])
def test_too_many_parts_are_too_large(post: Post, count: int) -> None:
    assert_problem(post(field("a", b"") * count + HEAD + PICTURE + TAIL), "payload_too_large")


def test_a_few_other_fields_do_not_matter(post: Post) -> None:
    assert post(field("a") * 10 + HEAD + PICTURE + TAIL).status_code == 200


def test_empty_file_is_no_image(post: Post) -> None:
    assert "empty" in assert_problem(post(HEAD + TAIL), "invalid_image")["detail"]


@pytest.mark.parametrize(
    "filler", [b"\r" * 1_000_000, b"\r\n--" * 250_000, b"\r\n--bb" * 150_000, b"\r\n-" * 300_000, b"\n" * 1_000_000]
)
def test_data_that_nearly_is_a_boundary_is_data(post: Post, filler: bytes) -> None:
    assert post(HEAD + PICTURE + filler + TAIL).status_code == 200


@pytest.mark.parametrize("around", [b"\r\n" * 100_000, b"text before or after\r\n"])
def test_what_stands_behind_the_last_boundary_is_dropped(post: Post, around: bytes) -> None:
    assert post(HEAD + PICTURE + TAIL + around).status_code in (200, 400)


@pytest.mark.parametrize(
    "content_type", [b"text/html", b"image/svg+xml", b"application/x-python-pickle", b"\xff", b"x" * 15_000]
)
def test_type_of_a_part_is_ignored_and_never_echoed(post: Post, content_type: bytes) -> None:
    head = HEAD[:-2] + b"Content-Type: " + content_type + b"\r\n\r\n"
    answer = post(head + PICTURE + TAIL)
    assert answer.status_code == 200
    assert content_type not in answer.content
    assert content_type not in b"".join(value for _, value in answer.headers.raw)


@pytest.mark.parametrize("header", [b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: utf-7"])
def test_encoding_of_a_part_is_never_followed(post: Post, header: bytes) -> None:
    head = HEAD[:-2] + header + b"\r\n\r\n"
    assert_problem(post(head + base64.b64encode(PICTURE) + TAIL), "invalid_image")


@pytest.mark.parametrize(
    ("disposition", "kept"),
    [
        (b'filename="../../etc/passwd"', "passwd"),
        (b'filename="C:\\\\x\\\\y.png"', "y.png"),
        (b'filename="a\x00b.png"', "a\ufffdb.png"),
        (b'filename="\xff\xfe.png"', "\ufffd\ufffd.png"),
        (b'filename="=cmd|x.png"', "=cmd|x.png"),
        (b'filename="' + b"n" * 10_000 + b'"', "n" * 255),
        ('filename="ä.png"'.encode(), "ä.png"),
        (b'filename=""', None),
        (b'filename="/"', None),
        (b"filename=a.png; filename*=utf-8''b.png", None),
        (b"filename*=utf-8''%C3%A4.png; filename*=x", None),
    ],
)
def test_name_of_a_file_is_only_a_note(
    shared: ThreadedServer, post: Post, disposition: bytes, kept: str | None
) -> None:
    answer = post(HEAD.replace(b'filename="a.png"', disposition) + PICTURE + TAIL)
    assert answer.status_code == 200, answer.text
    with History.open(shared.home) as history:
        name = history[answer.json()["id"]].file_name
    assert name == kept or (kept is None and (name is None or "/" not in name))


@pytest.mark.parametrize(
    "disposition",
    [
        b'filename="a\r\nSet-Cookie: x=1"',
        b'filename="a\nb"',
        b"filename*=utf-99''a",
        b"filename*=a'b",
        b'filename="a',
        b"filename*0=a; filename*1=b",
        b"filename=a; filename=b",
        b'filename="a"; name="other"',
    ],
)
def test_hostile_name_of_a_file_gives_an_answer_without_it(post: Post, disposition: bytes) -> None:
    answer = post(HEAD.replace(b'filename="a.png"', disposition) + PICTURE + TAIL)
    assert answer.status_code in (200, 400, 422)
    assert "set-cookie" not in answer.headers


def test_nested_multipart_is_no_picture(post: Post) -> None:
    inner = HEAD[:-2] + b"Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n" + PICTURE + b"\r\n--c--"
    assert_problem(post(inner + TAIL), "invalid_image")


def test_headers_of_many_parts_are_limited_together(client: httpx.Client) -> None:
    """Letter by letter, 1 MB of them took the event loop a seventh of a second."""
    part = b'--b\r\nContent-Disposition: form-data; name="f"' + b';a="\\\\"' * 2_000 + b"\r\n\r\n\r\n"
    answer = client.post(
        "/predict/batch",
        content=part * 70 + HEAD + PICTURE + TAIL,
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )
    assert "headers" in assert_problem(answer, "payload_too_large")["detail"]
