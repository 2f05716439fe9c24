"""Which of the weights in a checkpoint are served."""

from collections.abc import Callable
from typing import Any

import pytest

from support.checkpoints import Checkpoints, difference
from support.torch_models import LABELS, SIZE, needs_torch, trained

pytestmark = needs_torch


@pytest.fixture(scope="module")
def average(net: Any) -> Any:
    """An average of weights as training keeps it: other numbers than those of `net`."""
    import torch

    average = torch.optim.swa_utils.AveragedModel(net)
    other = trained()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(3)
    average.update_parameters(net)
    average.update_parameters(other)
    return average.eval()


def named(module: Any, start: str) -> dict[str, Any]:
    return {start + name: value for name, value in module.state_dict().items()}


ALONE: dict[str, Callable[[Any], dict[str, Any]]] = {
    "data parallel": lambda net: {"state_dict": named(net, "module.")},
    "compiled": lambda net: {"model": named(net, "_orig_mod.")},
    "compiled and parallel": lambda net: named(net, "module._orig_mod."),
    "compiled part": lambda net: {
        name.replace("features.", "features._orig_mod."): value for name, value in net.state_dict().items()
    },
    "FSDP": lambda net: named(net, "_fsdp_wrapped_module."),
    "attribute of Lightning": lambda net: {"state_dict": named(net, "classifier.")},
    "DeepSpeed": lambda net: {"module": net.state_dict(), "lr_scheduler": {}},
    "beside what only trains": lambda net: {"state_dict": named(net, "net.") | {"criterion.weight": net.head.bias}},
    "beside another network": lambda net: {"critic": {"a.weight": net.head.weight}, "actor": net.state_dict()},
}


@pytest.mark.parametrize("form", ALONE)
def test_the_only_weights_that_fit(checkpoints: Checkpoints, net: Any, form: str) -> None:
    predictor = checkpoints.load(checkpoints.save(ALONE[form](net)))
    assert difference(predictor, net) < 2e-6
    assert "model.state" not in predictor.model.origins


def test_an_average_alone_is_unwrapped(checkpoints: Checkpoints, average: Any) -> None:
    path = checkpoints.save(average.state_dict())
    assert "n_averaged" in average.state_dict()
    assert difference(checkpoints.load(path), average) < 2e-6


AVERAGES: dict[str, Callable[[Any, Any], dict[str, Any]]] = {
    "timm": lambda net, average: {"state_dict": net.state_dict(), "state_dict_ema": average.module.state_dict()},
    "torchvision": lambda net, average: {"model": net.state_dict(), "model_ema": average.state_dict()},
    "Lightning": lambda net, average: {"state_dict": named(net, "model.") | named(average.module, "model_ema.module.")},
}
KEYS = {"timm": "state_dict_ema", "torchvision": "model_ema", "Lightning": "state_dict.model_ema"}


@pytest.mark.parametrize("form", AVERAGES)
def test_the_plain_weights_are_taken_and_called_guessed_beside_an_average(
    checkpoints: Checkpoints, net: Any, average: Any, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = checkpoints.save(AVERAGES[form](net, average))
    predictor = checkpoints.load(path)
    assert difference(predictor, net) < 2e-6
    assert "state" in predictor.guessed
    [said] = caplog.messages
    plain = predictor.model.origins["model.state"][0]
    assert f"'best.pth' holds several weights that fit: {plain} is served and not {KEYS[form]}; to choose" in said
    assert said.endswith(f'into model.toml, under [model]: state = "{KEYS[form]}"')
    caplog.clear()
    toml = checkpoints.folder / "model.toml"
    toml.write_text(f'{LABELS}{SIZE}[model]\nstate = "{KEYS[form]}"\n')
    chosen = checkpoints.load(path)
    assert difference(chosen, average) < 2e-6 < difference(chosen, net)
    assert chosen.model.origins["model.state"] == (KEYS[form], "model.toml")
    assert "state" not in chosen.guessed
    assert caplog.messages == []


def test_of_two_of_the_same_rank_one_has_to_be_named(checkpoints: Checkpoints, net: Any, average: Any) -> None:
    path = checkpoints.save({"student": net.state_dict(), "teacher": average.module.state_dict()})
    said = checkpoints.refuse(path)
    assert "holds 2 state dicts (student, teacher), which would all fit; say which to serve in model.toml" in said
    toml = checkpoints.folder / "model.toml"
    toml.write_text(f'{LABELS}{SIZE}[model]\nstate = "teacher"\n')
    assert difference(checkpoints.load(path), average) < 2e-6
    toml.write_text(f'{LABELS}{SIZE}[model]\nstate = "nobody"\n')
    assert (
        "has no weights 'nobody', which [model] state in model.toml names; it has student, teacher."
        in checkpoints.refuse(path)
    )


def test_a_choice_that_was_written_for_another_checkpoint_names_its_way_out(checkpoints: Checkpoints, net: Any) -> None:
    path = checkpoints.save(net.state_dict(), "best.safetensors")
    (checkpoints.folder / "model.toml").write_text(f'{LABELS}{SIZE}[model]\nstate = "state_dict"\n')
    said = checkpoints.refuse(path)
    assert "has no weights 'state_dict', which [model] state names: it is nothing but weights; remove state" in said
    assert said.rstrip().endswith("from model.toml.")


def test_layers_beside_the_network_are_not_dropped(checkpoints: Checkpoints, net: Any) -> None:
    """A class that is only a part of what was trained would give another answer."""
    path = checkpoints.save({"state_dict": named(net, "backbone.") | {"last.weight": net.head.weight}})
    assert "has other weights than those in 'best.pth'" in checkpoints.refuse(path)
    (checkpoints.folder / "model.toml").write_text(f'{LABELS}{SIZE}[model]\nstate = "backbone"\n')
    assert difference(checkpoints.load(path), net) < 2e-6
