"""A preparation that makes different arrays of one picture is found: augmentation that was left in."""

from collections.abc import Callable

import pytest

from cvserve import Predictor
from cvserve.predictor.predictor import LoadedPredictor

INFER = "scores = 'logits'\ndef infer(self, batch):\n    return batch.reshape(len(batch), -1)[:, :12] @ WEIGHTS\n"
AUGMENTED = {
    "flip": "return array[:, :: 1 if np.random.random() < 0.5 else -1]",
    "brightness": "return array * np.random.uniform(0.9, 1.1)",
    "crop": "left = np.random.randint(0, 5)\n    return array[left : left + 8, left : left + 8]",
    "a size by chance": "return array[: np.random.randint(4, 9)]",
    "once in four": "return array + (np.random.random() < 0.25)",
}
SOUND = {
    "none": "return array",
    "warned": "return Prepared(array, 'odd')",
    "faces only": "assert array.std() < 0.1, 'no face'\n    return array",
    "refused": "if array.std() > 0.1:\n        raise InvalidImage('There is no face in it.')\n    return array",
    "whole numbers": "return image",
}
PREPROCESS = "def preprocess(self, image):\n    array = np.asarray(image, dtype=np.float32) / 255\n    "
IMPORTS = "from cvserve import InvalidImage\nfrom cvserve.predictor.contract import Prepared\n"


@pytest.mark.parametrize("name", AUGMENTED)
def test_augmentation_is_refused(load_own: Callable[..., LoadedPredictor | str], name: str) -> None:
    assert load_own(INFER + PREPROCESS + AUGMENTED[name]) == (
        "Own in own_of_test.py makes two different arrays of the same picture, so its answers depend on chance; take "
        "what is random (augmentation, for training only) out of how it prepares pictures."
    )


@pytest.mark.parametrize("name", SOUND)
def test_what_makes_the_same_of_a_picture_or_refuses_it_is_served(
    load_own: Callable[..., LoadedPredictor | str], name: str
) -> None:
    assert isinstance(load_own(INFER + PREPROCESS + SOUND[name], before=IMPORTS), Predictor)
