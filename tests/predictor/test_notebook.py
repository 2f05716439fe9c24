"""How a notebook shows a prediction: well-formed, escaped, without scripts."""

import base64
import io
import re
from xml.etree import ElementTree

import pytest
from PIL import Image

from cvserve.predictor.notebook import render_prediction
from support.drawings import drawn_four
from support.fakes import BrightnessPredictor
from support.predictions import prediction

NASTY = "<script>alert('x')</script>\"&'"


def parsed(html: str) -> ElementTree.Element:
    return ElementTree.fromstring(html)  # well-formed, or this raises


def test_it_is_the_picture_and_a_bar_for_each_class() -> None:
    html = BrightnessPredictor().predict(drawn_four())._repr_html_()
    tree = parsed(html)
    (image,) = tree.iter("img")
    with Image.open(io.BytesIO(base64.b64decode(image.attrib["src"].partition(",")[2]))) as shown:
        assert max(shown.size) == 160
    assert re.findall(r"width:(\d+\.\d)%", html) == ["70.0", "10.0", "10.0", "10.0"]


def test_texts_are_escaped_and_there_is_no_script() -> None:
    html = render_prediction(drawn_four(), [(NASTY, 0.5), ("b", 0.5)], NASTY, NASTY)
    tree = parsed(html)
    assert {element.tag for element in tree.iter()} <= {"div", "span", "small", "img"}
    assert not any(name.startswith("on") for element in tree.iter() for name in element.attrib)
    assert "".join(tree.itertext()).count(NASTY) == 4
    assert next(tree.iter("img")).attrib["alt"] == NASTY


@pytest.mark.parametrize("source", [None, "gone.jpg", b"broken"])
def test_a_picture_that_went_away_is_left_out(source: str | bytes | None) -> None:
    html = render_prediction(source, [("a", 1.0)], None, "m")
    assert list(parsed(html).iter("img")) == []


def test_a_stored_prediction_shows_without_its_picture() -> None:
    parsed(prediction()._repr_html_())
