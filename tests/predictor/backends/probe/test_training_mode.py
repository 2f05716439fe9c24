"""A network that a class of a user's asks in training mode is found, whoever holds it, and only if it matters."""

from collections.abc import Callable

import pytest

from cvserve import Predictor
from cvserve.predictor.predictor import LoadedPredictor
from support.torch_models import needs_torch

pytestmark = needs_torch
SIZE = '[input]\nsize = [8, 8]\nmode = "RGB"\n'
BEFORE = """
import torch
from torch import nn

torch.manual_seed(1)


def make(middle):
    return nn.Sequential(nn.Conv2d(3, 4, 3), middle, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
"""
ASK = "    with torch.inference_mode():\n        return {}(torch.from_numpy(batch)).numpy()"
ONE_BY_ONE = (
    "    with torch.inference_mode():\n"
    "        return np.concatenate([{}(torch.from_numpy(row[None])) for row in batch])"
)
NORM, DROPOUT = "nn.BatchNorm2d(4)", "nn.Dropout(0.3)"


def own(setup: str, network: str = "self.net", ask: str = ASK) -> str:
    return f"scores = 'logits'\ndef setup(self):\n    {setup}\ndef infer(self, batch):\n{ask.format(network)}"


@pytest.mark.parametrize(
    ("body", "network"),
    [
        (own(f"self.net = make({NORM})"), "self.net"),
        (own(f"self.net = make({DROPOUT})"), "self.net"),
        (own(f"self.net = make({NORM})", ask=ONE_BY_ONE), "self.net"),
        (own(f"self.net = make({NORM}).eval(); self.net[1].train()"), "self.net"),
        (own(f"self.nets = [make({NORM})]", "self.nets[0]"), None),
        (own("pass", "NET"), None),
    ],
)
def test_it_is_refused_by_name(load_own: Callable[..., LoadedPredictor | str], body: str, network: str | None) -> None:
    said = load_own(body, SIZE, before=f"{BEFORE}\n\nNET = make({NORM})\n")
    kind = "Dropout" if "Dropout" in body else "BatchNorm2d"
    where, call = (f"its network {network}", f"{network}.eval()") if network else ("a network of its", "eval() on it")
    assert said == (
        f"Own in own_of_test.py runs {where} in training mode ({kind}), in which an answer depends on chance or on "
        f"company; call {call} in setup, after its weights are loaded."
    )


@pytest.mark.parametrize(
    "body",
    [
        own(f"self.net = make({NORM}).eval()"),
        own("self.net = make(nn.Identity())"),
        own("self.net = make(nn.Dropout(0))"),
        own("self.net = make(nn.GroupNorm(2, 4))"),
        own(f"self.net = make({NORM}).eval(); self.teacher = make({NORM})"),
        own(f"self.net = make({NORM})", "self.net.eval()"),
    ],
)
def test_a_network_whose_answers_do_not_depend_on_it_is_served(
    load_own: Callable[..., LoadedPredictor | str], body: str
) -> None:
    assert isinstance(load_own(body, SIZE, before=BEFORE), Predictor)
