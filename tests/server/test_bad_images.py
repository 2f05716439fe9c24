"""Pictures that no camera makes (reliability C3): each has its answer, and the server goes on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from support import bad_pictures
from support.answers import assert_problem, assert_problem_object
from support.pictures import grey
from support.threaded import ThreadedServer

GOOD = bad_pictures.good_pictures()
OTHERS = bad_pictures.other_formats()
HUGE = bad_pictures.too_large()
BROKEN = bad_pictures.broken()
ODD = bad_pictures.odd()
NOT_PICTURES = bad_pictures.not_pictures()


@pytest.fixture(autouse=True)
def alive(client: httpx.Client) -> Iterator[None]:
    """Whatever was sent: the next picture is answered."""
    yield
    assert client.post("/predict", content=grey(0)).status_code == 200


@pytest.mark.parametrize("name", NOT_PICTURES)
def test_what_is_no_picture_is_invalid(client: httpx.Client, name: str) -> None:
    for content_type in ("image/png", "application/octet-stream"):
        answer = client.post("/predict", content=NOT_PICTURES[name], headers={"Content-Type": content_type})
        assert_problem(answer, "invalid_image")
    assert_problem(client.post("/predict", files={"file": ("a.png", NOT_PICTURES[name])}), "invalid_image")


@pytest.mark.parametrize("name", OTHERS)
def test_other_format_is_named_and_not_decoded_whatever_its_name(client: httpx.Client, name: str) -> None:
    for answer in (
        client.post("/predict", content=OTHERS[name], headers={"Content-Type": "image/png"}),
        client.post("/predict", files={"file": ("a.png", OTHERS[name], "image/png")}),
    ):
        detail = assert_problem(answer, "unsupported_image")["detail"]
        assert name.split(maxsplit=1)[0] in detail
        assert "JPEG, PNG, WEBP" in detail


@pytest.mark.parametrize("name", HUGE)
def test_too_many_pixels_or_frames_are_refused_from_the_header(client: httpx.Client, name: str) -> None:
    assert_problem(client.post("/predict", content=HUGE[name]), "image_too_large")


@pytest.mark.parametrize("name", BROKEN)
def test_damage_inside_is_told_and_nothing_of_the_library(client: httpx.Client, name: str) -> None:
    answer = client.post("/predict", content=BROKEN[name])
    assert answer.status_code == 422, answer.text
    assert_problem(answer, answer.json()["code"])
    assert answer.json()["code"] in ("invalid_image", "image_too_large")


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")  # Pillow's word on metadata that is not used
@pytest.mark.parametrize("name", ODD)
def test_strange_picture_is_answered_or_refused(client: httpx.Client, name: str) -> None:
    answer = client.post("/predict", content=ODD[name])
    if "1 GB" in name:
        assert answer.status_code in (200, 422)
    else:
        assert answer.status_code == 200, answer.text
        row = client.get(f"/predict/{answer.json()['id']}").json()
        assert row["label"] == answer.json()["label"]


@pytest.mark.parametrize("name", GOOD)
def test_picture_cut_at_any_point_is_invalid(client: httpx.Client, name: str) -> None:
    cut = list(bad_pictures.truncations(GOOD[name]))
    answer = client.post("/predict/batch", files=[("file", (f"{number}", data)) for number, data in enumerate(cut)])
    entries = answer.json()
    assert len(entries) == 64
    for number, entry in enumerate(entries):
        if "code" in entry:
            assert_problem_object(entry, "invalid_image")
        else:
            # A progressive file whose last scans or end mark alone are missing may still be whole to a decoder.
            assert number > 60, f"cut at point {number} of 64 was answered"


@pytest.mark.parametrize("name", GOOD)
def test_picture_with_a_bit_turned_is_an_answer_or_a_problem(client: httpx.Client, name: str) -> None:
    flipped = list(bad_pictures.bit_flips(GOOD[name]))
    answer = client.post("/predict/batch", files=[("file", (f"{number}", data)) for number, data in enumerate(flipped)])
    for entry in answer.json():
        if "code" in entry:
            assert entry["status"] in (415, 422)
            assert_problem_object(entry, entry["code"])
        else:
            assert entry["id"]


def test_same_picture_many_times_at_once_is_answered_each_time(shared: ThreadedServer) -> None:
    with shared.client() as client, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: client.post("/predict", content=grey(0)), range(200)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 200
