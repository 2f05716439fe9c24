"""A picture of no class that is known: the answer says so, over HTTP, in the history and on the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from support.command import cvserve
from support.pictures import encoded
from support.process import ServerProcess

pytestmark = pytest.mark.slow
OWN = """import numpy as np
from cvserve import Inferred, Predictor, Prepared


class Meter(Predictor):
    labels = ("dark", "light")
    scores = "probabilities"

    def preprocess(self, image):
        values = np.asarray(image.convert("L"), dtype=np.float32)
        return Prepared(values.mean().reshape(1), "It is red." if image.getpixel((0, 0)) == (255, 0, 0) else None)

    def infer(self, batch):
        light = batch[:, 0] / 255
        warnings = ["It is black." if value == 0 else None for value in light]
        return Inferred(np.stack([1 - light, light], axis=1), warnings)
"""
UNKNOWN = "The best score is 0.502, under 0.9: the picture may be of no class that is known."
PICTURES = {
    "grey": ((127, 127, 127), UNKNOWN),
    "white": ((255, 255, 255), None),
    "black": ((0, 0, 0), "It is black."),
    "red": ((255, 0, 0), "It is red."),
}


def test_a_warning_is_in_every_answer(home: Path, server_process: Callable[..., ServerProcess]) -> None:
    (home / "meter.py").write_text(OWN)
    (home / "meter.toml").write_text("[output]\nunknown_below = 0.9\n")
    for name, (colour, _) in PICTURES.items():
        (home / f"{name}.png").write_bytes(encoded(Image.new("RGB", (8, 8), colour)))
    server = server_process("--model", "meter.py:Meter", "--no-auth")
    with server.client() as client:
        for name, (_, warning) in PICTURES.items():
            posted = client.post("/predict", content=(home / f"{name}.png").read_bytes()).json()
            assert posted["warning"] == warning, name
            assert posted["label"] in {"dark", "light"}
            assert client.get(f"/predict/{posted['id']}").json()["warning"] == warning
    server.stop()
    said = cvserve("predict", "--model", "meter.py:Meter", "grey.png")
    assert UNKNOWN in said.out + said.err
    (printed,) = json.loads(cvserve("predict", "--model", "meter.py:Meter", "--json", "grey.png").out)
    assert printed["warning"] == UNKNOWN
