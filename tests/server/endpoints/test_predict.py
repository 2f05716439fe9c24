"""POST /predict through a real socket: every way in, the answer, and the row that it leaves."""

import base64
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from cvserve.answer import encode_json
from cvserve.history.history import History
from support.answers import CREATED_AT, assert_problem
from support.fakes import BrightnessPredictor, ScriptedPredictor
from support.pictures import grey
from support.raw import RawConnection
from support.threaded import ThreadedServer
from support.tokens import make_token

Start = Callable[..., ThreadedServer]
PICTURE = grey(100)
TEXT = base64.b64encode(PICTURE).decode()
NO_TYPE = {"Content-Type": ""}


def test_answer_has_id_and_result_first(threaded_server: Start) -> None:
    version = BrightnessPredictor().info.version
    with threaded_server().client() as client:
        answer = client.post("/predict", files={"file": ("a.png", grey(200))})
    assert answer.status_code == 200
    body = answer.json()
    assert list(body)[:2] == ["id", "result"]
    assert set(body) == {"id", "result", "label", "score", "top", "model", "created_at", "timing_ms", "warning"}
    assert (body["id"], body["result"], body["label"], body["score"]) == (1, 3, "white", 0.7)
    assert body["model"] == {"name": "brightness", "version": version}
    assert set(body["timing_ms"]) == {"decode", "queue", "infer", "store"}
    assert body["warning"] is None
    assert CREATED_AT.fullmatch(body["created_at"])
    assert answer.text.startswith('{"id":1,"result":3,')


@pytest.mark.parametrize(
    "way",
    [
        lambda c: c.post("/predict", files={"file": ("a.png", PICTURE)}),
        lambda c: c.put("/predict", files={"file": ("a.png", PICTURE)}),
        lambda c: c.post("/predict", files={"file": ("a.png", PICTURE)}, data={"other": "field"}),
        lambda c: c.post("/predict", files={"file": ("a.html", PICTURE, "text/html")}),
        lambda c: c.post("/predict", content=PICTURE),
        lambda c: c.put("/predict", content=PICTURE),
        lambda c: c.post("/predict", content=iter([PICTURE[:100], PICTURE[100:]])),
        lambda c: c.post("/predict", content=PICTURE, headers={"Content-Type": "text/html"}),
        lambda c: c.post("/predict", content=PICTURE, headers={"Content-Type": "multipart/form-data"}),
        lambda c: c.post("/predict", content=PICTURE, headers={"Content-Type": "application/json"}),
        lambda c: c.post("/predict", content=PICTURE, headers={"Content-Encoding": "identity"}),
        lambda c: c.post("/predict", json={"image": TEXT}),
        lambda c: c.post("/predict", json={"image": TEXT, "file_name": "a.png"}),
        lambda c: c.post("/predict", json={"image": "\n".join([TEXT[:76], TEXT[76:]])}),
        lambda c: c.post("/predict", json={"image": f"data:image/png;base64,{TEXT}"}),
        lambda c: c.put("/predict", json={"image": TEXT}, headers={"Content-Type": "Application/JSON; charset=utf-8"}),
    ],
)
def test_every_way_in_gives_the_same_answer(
    client: httpx.Client, way: Callable[[httpx.Client], httpx.Response]
) -> None:
    answer = way(client)
    assert (answer.status_code, answer.json()["label"]) == (200, "dark")


@pytest.mark.parametrize(
    ("content", "content_type", "code"),
    [
        (b"", "", "unsupported_media_type"),
        (b"", "image/png", "invalid_image"),
        (b"a=b", "application/x-www-form-urlencoded", "unsupported_media_type"),
        (b"hello", "text/plain", "unsupported_media_type"),
        (b"<a/>", "text/xml", "unsupported_media_type"),
        (PICTURE[1:], "multipart/mixed; boundary=x", "unsupported_media_type"),
        (b"\x80\x04\x95.", "application/vnd.bentoml+pickle", "unsupported_media_type"),
        (b"hello", "image/png", "invalid_image"),
        (b"hello", "application/octet-stream", "invalid_image"),
        (b"{", "application/json", "malformed_body"),
        (b"[" * 60_000, "application/json", "malformed_body"),
        (b"[" * 100_000, "application/json", "payload_too_large"),
        (b'{"image": "*"}', "application/json", "malformed_body"),
        (b'{"image": "\xc3\xa4"}', "application/json", "malformed_body"),
        (b'{"image": "\\ud800"}', "application/json", "malformed_body"),
        (b'{"image": 1' + b"0" * 5000 + b"}", "application/json", "malformed_body"),
        (b"\xff\xfe\x00", "application/json", "malformed_body"),
        (b"[]", "application/json", "missing_file"),
        (b"null", "application/json", "missing_file"),
        (b"{}", "application/json", "missing_file"),
        (b'{"image": null}', "application/json", "missing_file"),
        (b'{"image": ["x"]}', "application/json", "missing_file"),
        (b'{"image": ""}', "application/json", "invalid_image"),
        (b'{"image": "data:image/png;base64,"}', "application/json", "invalid_image"),
        (b'{"image": "data:"}', "application/json", "invalid_image"),
        (b'{"image": "aGVsbG8="}', "application/json", "invalid_image"),
    ],
)
def test_body_that_is_no_picture_says_what_is_wrong(
    client: httpx.Client, content: bytes, content_type: str, code: str
) -> None:
    assert_problem(client.post("/predict", content=content, headers={"Content-Type": content_type}), code)


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "identity, gzip", "GZIP"])
def test_compressed_body_is_refused_before_it_is_read(client: httpx.Client, encoding: str) -> None:
    answer = client.post("/predict", content=PICTURE, headers={"Content-Encoding": encoding})
    assert_problem(answer, "unsupported_media_type")


def test_row_and_answer_agree_in_all_but_the_time_of_the_commit(client: httpx.Client) -> None:
    answer = client.post("/predict?top_k=3", files={"file": ("a.png", PICTURE)}).json()
    row = client.get(f"/predict/{answer['id']}").json()
    assert answer["timing_ms"].pop("store") >= 0
    assert list(row) == list(answer)
    assert row == answer


@pytest.mark.parametrize("label", ["4", 'say "4"\\', "\x00\n\x7f\u2028", "äöü 数", "{}%s{label}"])
def test_answer_and_row_are_the_json_of_an_encoder(threaded_server: Start, label: str) -> None:
    predictor = ScriptedPredictor([[1.0, 1e-6]])
    predictor.labels = (label, "x")
    server = threaded_server(predictor)
    with server.client() as client:
        answers = [client.post("/predict", content=PICTURE) for _ in range(2)]
        answers.append(client.post("/predict/batch", files=[("file", ("a", PICTURE)), ("file", ("a", b"bad"))]))
    for answer in answers:
        assert answer.text == encode_json(answer.json())
    assert answers[0].json()["label"] == label
    with History.open(server.home) as history:
        (top,) = history.db.execute("SELECT top FROM predictions WHERE id = 1").fetchone()
    assert top == encode_json(answers[0].json()["top"])


def test_server_timing_carries_the_times_of_the_answer(client: httpx.Client) -> None:
    answer = client.post("/predict", content=PICTURE)
    times = dict(entry.split(";dur=") for entry in answer.headers["server-timing"].split(", "))
    assert {step: float(time_ms) for step, time_ms in times.items()} == answer.json()["timing_ms"]


@pytest.mark.parametrize(("top_k", "length"), [(1, 1), (2, 2), (4, 4), (9, 4), (30_000, 4)])
def test_top_k_is_the_length_of_top(client: httpx.Client, top_k: int, length: int) -> None:
    body = client.post(f"/predict?top_k={top_k}", content=PICTURE).json()
    assert len(body["top"]) == length
    assert body["top"][0] == {"index": body["result"], "label": body["label"], "score": body["score"]}
    scores = [entry["score"] for entry in body["top"]]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    "query",
    [
        "top_k=0",
        "top_k=-1",
        "top_k=1e3",
        "top_k=30001",
        "top_k=",
        "top_k=x",
        "top_k=%D9%A1",
        "top_k=1_0",
        "top_k=+1",
        "topk=3",
        "top_k=1&top_k=2",
        "limit=1",
        "token=secret",
        "%FF=1",
        "top_k=%FF",
        "&".join(["a=b"] * 200),
    ],
)
def test_parameter_that_cannot_be_used_is_named(client: httpx.Client, query: str) -> None:
    body = assert_problem(client.post(f"/predict?{query}", content=PICTURE), "invalid_parameter")
    if query.startswith("top_k=x"):
        assert "top_k" in body["detail"]


def test_near_miss_of_a_parameter_is_suggested(client: httpx.Client) -> None:
    assert "did you mean 'top_k'" in client.post("/predict?topk=3", content=PICTURE).json()["detail"]


def test_scores_are_rounded_to_six_decimals(threaded_server: Start) -> None:
    server = threaded_server(ScriptedPredictor([[1 / 3, 2 / 3]]))
    with server.client() as client:
        body = client.post("/predict", content=PICTURE).json()
        assert [entry["score"] for entry in body["top"]] == [0.666667, 0.333333]
        assert client.get("/predict/1").json()["score"] == 0.666667


@pytest.mark.parametrize("with_length", [True, False])
def test_body_over_the_limit_is_too_large_and_one_of_the_limit_is_not(
    threaded_server: Start, with_length: bool
) -> None:
    server = threaded_server(max_body=len(PICTURE))

    def sent(body: bytes) -> httpx.Response:
        with server.client() as client:
            return client.post("/predict", content=body if with_length else iter([body[:50], body[50:]]))

    assert sent(PICTURE).status_code == 200
    body = assert_problem(sent(PICTURE + b"\0"), "payload_too_large")
    assert f"{len(PICTURE):,}" in body["detail"]


def test_body_without_a_length_is_counted_while_it_comes(threaded_server: Start) -> None:
    server = threaded_server(max_body=1_000_000)
    with RawConnection(server.url) as raw:
        raw.request("POST", "/predict", "Transfer-Encoding: chunked", "Expect: 100-continue", token=server.token)
        assert raw.answer().status == 100
        for _ in range(20):
            raw.send(b"%x\r\n" % 65_536 + bytes(65_536) + b"\r\n")  # never the last chunk
        answer = raw.answer()
    assert_problem(answer, "payload_too_large")
    assert answer.headers["connection"] == "close"


def test_file_name_is_kept_as_a_note_and_never_as_a_path(shared: ThreadedServer, client: httpx.Client) -> None:
    names = {
        "../../etc/passwd": "passwd",
        "C:\\x\\y.png": "y.png",
        "a\u202egnp.exe": "a\ufffdgnp.exe",
        "<img onerror=1>.png": "<img onerror=1>.png",
        "n" * 5_000: "n" * 255,
    }
    ids = [client.post("/predict", json={"image": TEXT, "file_name": name}).json()["id"] for name in names]
    alone = f'{{"image": "{TEXT}", "file_name": "\\ud800.png"}}'
    ids.append(client.post("/predict", content=alone, headers={"Content-Type": "application/json"}).json()["id"])
    with History.open(shared.home) as history:
        kept = [history[id_].file_name for id_ in ids]
    assert kept == [*names.values(), "\ufffd.png"]


@pytest.mark.parametrize(
    ("mark", "source"),
    [({}, "http"), ({"X-Cvserve-Source": "loadtest"}, "loadtest"), ({"X-Cvserve-Source": "cli"}, "http"),
     ({"X-Cvserve-Source": "LOADTEST"}, "http"), ({"X-Cvserve-Source": ""}, "http")],
)  # fmt: skip
def test_a_load_test_marks_its_rows_and_nobody_can_claim_another_source(
    threaded_server: Start, mark: dict[str, str], source: str
) -> None:
    server = threaded_server()
    with server.client() as client:
        client.post("/predict", content=PICTURE, headers=mark)
        client.post("/predict/batch", files=[("file", ("a.png", PICTURE))], headers=mark)
        listed = [row["id"] for row in client.get("/predict").json()]
        asked_for = [row["id"] for row in client.get(f"/predict?source={source}").json()]
        assert client.get("/predict").headers["X-Total-Count"] == str(len(listed))
    assert listed == ([1, 2] if source == "http" else [])
    assert asked_for == [1, 2]


@pytest.mark.parametrize(
    ("scopes", "source"),
    [(("predict",), "http"), (("predict", "metrics"), "http"), (("predict", "history"), "loadtest"),
     (("predict", "admin"), "loadtest")],
)  # fmt: skip
def test_who_may_not_read_everything_cannot_hide_what_they_ask(
    threaded_server: Start, home: Path, scopes: tuple[str, ...], source: str
) -> None:
    secret = make_token(home, "tester", *scopes)
    server = threaded_server()
    with server.client(secret) as tester, server.client() as auditor:
        for answer in (
            tester.post("/predict", content=PICTURE, headers={"X-Cvserve-Source": "loadtest"}),
            tester.post("/predict/batch", files={"file": PICTURE}, headers={"X-Cvserve-Source": "loadtest"}),
        ):
            assert answer.status_code == 200
        assert len(auditor.get("/predict").json()) == (2 if source == "http" else 0)
        assert len(auditor.get(f"/predict?source={source}").json()) == 2


def test_the_mark_of_a_load_test_opens_nothing(threaded_server: Start) -> None:
    server = threaded_server()
    answer = httpx.post(f"{server.url}/predict", content=PICTURE, headers={"X-Cvserve-Source": "loadtest"})
    assert_problem(answer, "unauthenticated")
    assert "POST /predict | 401" in server.log_lines()[-1]


def test_blanks_around_a_header_are_no_part_of_it(shared: ThreadedServer) -> None:
    with RawConnection(shared.url) as raw:
        raw.request("POST", "/predict", "Content-Encoding:\t identity \t", token=f"{shared.token} ", body=PICTURE)
        assert raw.answer().status == 200
