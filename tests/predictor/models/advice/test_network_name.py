"""Weights alone: the command that serves them names their network, where that is known, and works when typed."""

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from support.checkpoints import load_model_of, refusal
from support.command import cvserve
from support.torch_models import needs_torch, trained

pytestmark = needs_torch


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def save(thing: Any, name: str = "best.pth") -> str:
    import torch

    torch.save(thing, name)
    return name


def save_tensors(state: dict[str, Any]) -> str:
    import safetensors.torch

    safetensors.torch.save_file(state, "model.safetensors")
    return "model.safetensors"


def command(said: str) -> list[str]:
    """The command with which the sentence ends, for `model inspect`, which ends."""
    words = shlex.split(said[said.index("cvserve serve") :])
    assert words[:3] == ["cvserve", "serve", "--model"]
    return ["model", "inspect", *words[3:]]


def test_a_checkpoint_of_timm_is_served_by_the_command_that_is_printed() -> None:
    timm = pytest.importorskip("timm")
    state = timm.create_model("test_resnet").state_dict()
    arguments = argparse.Namespace(model="test_resnet", lr=0.1)
    said = refusal(save({"arch": "test_resnet", "state_dict": state, "args": arguments}, "model_best.pth.tar"))
    assert said == (
        "'model_best.pth.tar' holds the weights of a PyTorch model and not its class; run: "
        "cvserve serve --model timm:test_resnet --weights model_best.pth.tar"
    )
    assert cvserve(*command(said)).code == 0


def test_checkpoints_of_torchvisions_scripts_name_their_function() -> None:
    state = trained().state_dict()
    for thing in (
        {"epoch": 1, "arch": "resnet50", "state_dict": state},
        {"model": state, "epoch": 1, "args": argparse.Namespace(data_path="data", model="resnet50", device="cpu")},
    ):
        assert "--model torchvision.models:resnet50 --weights best.pth" in refusal(save(thing))


def test_safetensors_alone() -> None:
    name = save_tensors(trained().state_dict())
    assert refusal(name) == (
        "'model.safetensors' holds the weights of a model and not its class; name the class, "
        "or timm:NAME or torchvision.models:NAME where it is one of theirs: "
        "cvserve serve --model model.py:ClassName --weights model.safetensors"
    )


def test_safetensors_of_timm_beside_their_config() -> None:
    timm = pytest.importorskip("timm")
    name = save_tensors(timm.create_model("test_resnet").state_dict())
    Path("config.json").write_text(json.dumps({"architecture": "test_resnet", "num_classes": 1000}))
    said = refusal(name)
    assert said.endswith("run: cvserve serve --model timm:test_resnet --weights model.safetensors")
    assert load_model_of("timm:test_resnet", Path(name)).info.name == "test_resnet"


def test_safetensors_of_hugging_face_are_served_as_a_folder() -> None:
    name = save_tensors(trained().state_dict())
    Path("config.json").write_text(json.dumps({"architectures": ["ViTForImageClassification"], "model_type": "vit"}))
    said = refusal(Path.cwd() / name)
    assert said.endswith(f"serve their folder: cvserve serve --model {Path.cwd()}/")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"architecture": "$(touch ran)"}', '{"architecture": 3}'])
def test_a_config_that_is_none_is_left_alone(text: str) -> None:
    Path("config.json").write_text(text)
    assert "model.py:ClassName" in refusal(save_tensors(trained().state_dict()))


def test_a_config_outside_of_the_folder_is_not_read(tmp_path: Path) -> None:
    Path("inner").mkdir()
    Path("config.json").write_text('{"architecture": "secret"}')
    name = save_tensors(trained().state_dict())
    Path(name).rename(f"inner/{name}")
    Path("inner/config.json").symlink_to(tmp_path / "config.json")
    assert "secret" not in refusal(f"inner/{name}")


def test_what_scripts_write_beside_weights_is_no_whole_model() -> None:
    said = refusal(save({"state_dict": trained().state_dict(), "data": Path("data"), "args": argparse.Namespace()}))
    assert "holds the weights of a PyTorch model and not its class" in said


def test_a_whole_network_of_torchvision_names_no_part_of_it() -> None:
    torchvision = pytest.importorskip("torchvision")
    said = refusal(save(torchvision.models.squeezenet1_1(), "whole.pth"))
    assert "is a whole pickled PyTorch model (" in said
    assert "(with the function that made it): cvserve serve --model torchvision.models:resnet18 --weights" in said
    assert "Fire --weights" not in said
