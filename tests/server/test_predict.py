"""POST /predict through a real socket: the three ways in, the answer, and what is refused."""

import base64
from collections.abc import Callable

import pytest

from support.pictures import grey
from support.threaded import ThreadedServer

Start = Callable[..., ThreadedServer]


@pytest.fixture
def server(threaded_server: Start) -> ThreadedServer:
    return threaded_server()


def test_answer_has_id_and_result_first(server: ThreadedServer) -> None:
    with server.client() as client:
        answer = client.post("/predict", files={"file": ("a.png", grey(200))})
    assert answer.status_code == 200
    body = answer.json()
    assert list(body)[:2] == ["id", "result"]
    assert (body["id"], body["result"], body["label"], body["score"]) == (1, 3, "white", 0.7)
    assert set(body["timing_ms"]) == {"decode", "queue", "infer", "store"}
    assert answer.text.startswith('{"id":1,"result":3,')


@pytest.mark.parametrize("way", ["multipart", "raw", "put", "json", "data-url", "wrong-type"])
def test_every_way_in_gives_the_same_answer(server: ThreadedServer, way: str) -> None:
    picture = grey(100)
    text = base64.b64encode(picture).decode()
    with server.client() as client:
        answer = {
            "multipart": lambda: client.post("/predict", files={"file": ("a.png", picture)}),
            "raw": lambda: client.post("/predict", content=picture),
            "put": lambda: client.put("/predict", content=picture),
            "json": lambda: client.post("/predict", json={"image": text}),
            "data-url": lambda: client.post("/predict", json={"image": f"data:image/png;base64,{text}"}),
            "wrong-type": lambda: client.post("/predict", content=picture, headers={"Content-Type": "text/html"}),
        }[way]()
    assert (answer.status_code, answer.json()["label"]) == (200, "dark")
