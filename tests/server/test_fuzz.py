"""No bytes of one request give a 500: whatever is sent, a problem or an answer comes back, and one line is written."""

import io
import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from support.answers import STATUS_OF, assert_problem
from support.bad_pictures import good_pictures
from support.fakes import BrightnessPredictor
from support.lines import parsed
from support.raw import RawAnswer, RawConnection
from support.threaded import TOKEN, ThreadedServer

bounded = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
GOOD = list(good_pictures().values())
TYPES = st.one_of(
    st.sampled_from(
        [
            "multipart/form-data; boundary=b",
            "multipart/form-data",
            "application/json",
            "image/png",
            "",
            "text/plain",
            "application/octet-stream",
            'MULTIPART/FORM-DATA; BOUNDARY="b"',
            "application/json; charset=utf-7",
        ]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60),
)
PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                b"--b\r\n",
                b"\r\n--b--\r\n",
                b"\r\n",
                b"\r\n\r\n",
                b"--",
                b'Content-Disposition: form-data; name="file"',
                b'; filename="a.png"',
                b"; filename*=utf-8''a",
                b"Content-Type: image/png\r\n",
                b"name=",
                b'"',
                b"\\",
                b": ",
                GOOD[0],
                GOOD[1][:40],
                b"\0",
                b"\xff",
            ]
        ),
        st.binary(max_size=20),
    ),
    max_size=20,
).map(b"".join)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["image", "file_name", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "limit",
                "after",
                "before",
                "order",
                "label",
                "model",
                "source",
                "min_score",
                "since",
                "until",
                "count",
                "top_k",
                "x",
                "%00",
                "",
            ]
        ),
        st.one_of(
            st.sampled_from(
                [
                    "1",
                    "0",
                    "-1",
                    "asc",
                    "desc",
                    "7d",
                    "2026-11-23",
                    "true",
                    "nan",
                    "9" * 30,
                    "0001-01-01T00:00:00%2B23:59",
                    "9999-12-31T23:59:59-23:59",
                    "%FF",
                    "1e999",
                    "inf",
                    "http",
                    "loadtest",
                ]
            ),
            st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=20),
        ),
    ),
    max_size=4,
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadedServer]:
    server = ThreadedServer(tmp_path_factory.mktemp("fuzz"), BrightnessPredictor())
    yield server
    with server.client() as client:
        assert client.get("/readyz").status_code == 200
    server.stop()


def checked(server: ThreadedServer, method: str, target: str, body: bytes = b"", content_type: str = "") -> RawAnswer:
    """The answer, after looking at its shape and its line."""
    log = server.home / "output.log"
    before = log.stat().st_size if log.exists() else 0
    headers = [f"Content-Type: {content_type}"] if content_type else []
    with RawConnection(server.url) as raw:
        answer = raw.request(method, target, *headers, token=TOKEN, body=body).answer(to_head=method == "HEAD")
        with log.open("rb") as file:
            file.seek(before)
            lines = file.read().decode().splitlines()
    assert answer.status < 500, (answer, target, body[:200])
    if answer.status >= 400 and method != "HEAD":
        code = answer.json()["code"]
        assert code in STATUS_OF
        assert_problem(answer, code)
    assert len(lines) == 1
    line = parsed(lines[0])
    assert (line.status, line.request_id) == (str(answer.status), answer.headers["x-request-id"])
    return answer


@bounded
@given(
    body=st.one_of(st.binary(max_size=300), PIECES),
    content_type=TYPES,
    path=st.sampled_from(["/predict", "/predict/batch"]),
)
def test_any_body_of_any_type(server: ThreadedServer, body: bytes, content_type: str, path: str) -> None:
    checked(server, "POST", path, body, content_type)


@bounded
@given(body=PIECES)
def test_any_multipart(server: ThreadedServer, body: bytes) -> None:
    checked(server, "POST", "/predict", b"--b\r\n" + body + b"\r\n--b--\r\n", "multipart/form-data; boundary=b")


@bounded
@given(value=JSON_VALUES, text=st.text(max_size=30))
def test_any_json(server: ThreadedServer, value: object, text: str) -> None:
    checked(server, "POST", "/predict", json.dumps(value).encode(), "application/json")
    checked(server, "PUT", "/predict", json.dumps({"image": text}).encode(), "application/json")


@bounded
@given(data=st.data())
def test_any_picture_with_bytes_changed(server: ThreadedServer, data: st.DataObject) -> None:
    picture = bytearray(data.draw(st.sampled_from(GOOD)))
    for _ in range(data.draw(st.integers(1, 8))):
        picture[data.draw(st.integers(0, len(picture) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.just(len(picture)), st.integers(0, len(picture))))
    checked(server, "POST", "/predict", bytes(picture[:cut]), "image/png")


@bounded
@given(
    query=QUERIES,
    path=st.sampled_from(["/predict", "/predict/1", "/predict/batch", "/livez"]),
    method=st.sampled_from(["GET", "HEAD", "POST", "OPTIONS"]),
)
def test_any_query(server: ThreadedServer, query: str, path: str, method: str) -> None:
    checked(server, method, f"{path}?{query}")


@bounded
@given(
    path=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD"]),
)
def test_any_path(server: ThreadedServer, path: str, method: str) -> None:
    checked(server, method, f"/{path}")


@bounded
@given(data=st.binary(min_size=1, max_size=200))
def test_any_bytes_on_the_socket(server: ThreadedServer, data: bytes) -> None:
    with RawConnection(server.url) as raw:
        raw.send(data + b"\r\n\r\n" + b"GET /livez HTTP/1.1\r\n\r\n")
        assert raw.answer().status in (400, 401)


@bounded
@given(
    mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "YCbCr"]),
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    kind=st.sampled_from(["PNG", "JPEG", "WEBP"]),
    seed=st.binary(max_size=40),
)
def test_any_small_picture_is_answered(
    server: ThreadedServer, mode: str, width: int, height: int, kind: str, seed: bytes
) -> None:
    image = Image.new(mode, (width, height))
    for number, value in enumerate(seed):
        image.putpixel(
            (number % width, number * 7 % height),
            value if len(image.getbands()) == 1 else (value,) * len(image.getbands()),
        )
    file = io.BytesIO()
    try:
        image.save(file, kind)
    except (OSError, ValueError):
        return  # a mode that the format cannot hold
    assert checked(server, "POST", "/predict", file.getvalue(), "image/png").status == 200
