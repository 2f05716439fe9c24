"""Files of weights as scripts of training write them: read without running anything in them."""

import argparse
import datetime
import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.checkpoints import Checkpoints, difference
from support.torch_models import needs_torch, trained

pytestmark = needs_torch


def trained_state(net: Any) -> dict[str, Any]:
    """An optimizer with a step behind it, a schedule, and a scaler of mixed precision."""
    import torch

    copy = trained()
    optimizer = torch.optim.AdamW(copy.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=5)
    copy(torch.rand(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    scheduler.step()
    return {
        "state_dict": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": scheduler.state_dict(),
        "scaler": torch.amp.GradScaler("cpu").state_dict(),
    }


def of_timm(net: Any) -> dict[str, Any]:
    arguments = argparse.Namespace(model="resnet18", lr=0.1, mean=None, data_dir=Path("data"))
    metric = np.float64(76.5)
    return {**trained_state(net), "epoch": 3, "arch": "resnet18", "version": 2, "args": arguments, "metric": metric}


def of_lightning(net: Any) -> dict[str, Any]:
    callbacks = {"ModelCheckpoint{'monitor': 'val_acc'}": {"best_model_score": np.float32(0.9), "dirpath": "runs"}}
    return {
        "epoch": 3,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": OrderedDict(
            [(f"net.{key}", value) for key, value in net.state_dict().items()]
            + [("criterion.weight", net.head.bias), ("train_accuracy.total", net.head.bias)]
        ),
        "hparams_name": "kwargs",
        "hyper_parameters": {"lr": 0.01, "data": Path("data"), "classes": ["cat", "dog"]},
        "callbacks": callbacks,
        "loops": {"fit_loop": {"state_dict": {}}},
        "optimizer_states": [{"state": defaultdict(dict, {0: {"step": 3}}), "param_groups": []}],
    }


def of_many(net: Any) -> dict[str, Any]:
    """What NumPy, dates and random numbers of scripts come to."""
    return {
        "model_state_dict": net.state_dict(),
        "history": np.arange(6, dtype=np.float32).reshape(2, 3),
        "rng": np.random.RandomState(1).get_state(),
        "saved": datetime.datetime(2026, 1, 2, 3, 4),
        "best": {"accuracy": np.int64(3), "names": {"cat", "dog"}},
    }


FORMS: dict[str, Callable[[Any], Any]] = {"timm": of_timm, "Lightning": of_lightning, "many things": of_many}


@pytest.mark.parametrize("form", FORMS)
def test_what_scripts_of_training_write_is_read(checkpoints: Checkpoints, net: Any, form: str) -> None:
    predictor = checkpoints.load(checkpoints.save(FORMS[form](net)))
    assert difference(predictor, net) < 2e-6
    assert "state" not in predictor.guessed


def test_the_old_form_of_a_file_is_read_as_well(checkpoints: Checkpoints, net: Any) -> None:
    import torch

    path = checkpoints.folder / "old.pth"
    torch.save(of_timm(net), path, _use_new_zipfile_serialization=False)
    assert difference(checkpoints.load(path), net) < 2e-6


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return (os.system, (self.command,))


class HostileNamespace(argparse.Namespace):
    def __reduce__(self) -> Any:
        return (getattr, ("", "join"))


def test_no_code_in_a_checkpoint_runs(checkpoints: Checkpoints, net: Any) -> None:
    """A command in each place where a script might have put something."""
    mark = checkpoints.folder / "ran"
    hostile = Hostile(f"touch {mark}")
    arguments = argparse.Namespace(lr=hostile)
    for thing in (
        hostile,
        {"state_dict": net.state_dict(), "args": hostile},
        {"state_dict": net.state_dict(), "args": arguments},
        {"state_dict": net.state_dict(), "metric": np.array([hostile])},
        {"state_dict": defaultdict(hostile.__class__, net.state_dict()), "x": [hostile]},
        OrderedDict([*net.state_dict().items(), ("x", hostile)]),
    ):
        said = checkpoints.refuse(checkpoints.save(thing))
        assert "holds more than weights" in said
        assert "nothing else is read from it" in said
    said = checkpoints.refuse(checkpoints.save({"state_dict": net.state_dict(), "args": HostileNamespace()}))
    assert "getattr" in said
    assert not mark.exists()


@pytest.mark.parametrize("name", ["best.pth", "best.pkl", "best.safetensors"])
def test_a_pickle_under_any_name_runs_nothing(checkpoints: Checkpoints, name: str) -> None:
    mark = checkpoints.folder / "ran"
    (checkpoints.folder / name).write_bytes(pickle.dumps({"state_dict": Hostile(f"touch {mark}")}))
    checkpoints.refuse(checkpoints.folder / name)
    assert not mark.exists()


def test_nothing_of_the_list_is_made(checkpoints: Checkpoints, net: Any) -> None:
    """A type of NumPy with fields that lie about what they are would be followed into memory."""
    lying = np.dtype([("a", "O")])
    state = {"state_dict": net.state_dict(), "metric": np.zeros(1, dtype=lying), "kind": lying}
    assert difference(checkpoints.load(checkpoints.save(state)), net) < 2e-6


def test_safetensors(checkpoints: Checkpoints, net: Any) -> None:
    weights = checkpoints.save(net.state_dict(), "best.safetensors")
    predictor = checkpoints.load(weights)
    assert difference(predictor, net) < 2e-6
    assert predictor.model.origins["weights"] == (str(weights), "file")


def test_safetensors_of_other_numbers(checkpoints: Checkpoints, net: Any) -> None:
    half = {key: value.half() if value.is_floating_point() else value for key, value in net.state_dict().items()}
    assert difference(checkpoints.load(checkpoints.save(half, "best.safetensors")), net) < 1e-2


def table(entries: str, data: bytes = b"") -> bytes:
    """A safetensors file by hand."""
    return struct.pack("<Q", len(entries)) + entries.encode("ascii") + data


FLOATS = '"dtype":"F32","shape":[2],"data_offsets"'


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (table(f'{{"a":{{{FLOATS}:[0,8]}}}}', bytes(4)), "is damaged or cut off: its table does not fit its bytes"),
        (table(f'{{"a":{{{FLOATS}:[0,8]}},"b":{{{FLOATS}:[4,12]}}}}', bytes(12)), "its table does not fit"),
        (table(f'{{"a":{{{FLOATS}:[0,16]}}}}', bytes(16)), "its table does not fit"),
        (table(f'{{"a":{{{FLOATS}:[8,0]}}}}', bytes(8)), "its table does not fit"),
        (table('{"a":{"dtype":"Q9","shape":[1],"data_offsets":[0,4]}}', bytes(4)), "its table does not fit"),
        (table('{"a":'), "its table does not fit"),
        (table('{"__metadata__":{}}'), "holds no tensors"),
        (struct.pack("<Q", 2**40) + b'{"a":1}', "is damaged or cut off; save or copy it again"),
        (b"\x10", "is damaged or cut off; save or copy it again"),
    ],
    ids=["cut off", "overlap", "size", "backwards", "type", "table", "empty", "huge table", "a byte"],
)
def test_safetensors_that_contradict_themselves(checkpoints: Checkpoints, data: bytes, words: str) -> None:
    path = checkpoints.folder / "best.safetensors"
    path.write_bytes(data)
    assert words in checkpoints.refuse(path)


def test_safetensors_changed_anywhere_are_our_errors_and_nothing_else(checkpoints: Checkpoints, net: Any) -> None:
    path = checkpoints.save(net.state_dict(), "best.safetensors")
    data = path.read_bytes()
    random = np.random.default_rng(5)
    for end in range(1, len(data), max(1, len(data) // 15)):
        path.write_bytes(data[:end])
        checkpoints.refuse(path)
    for _ in range(40):
        copy = bytearray(data)
        copy[int(random.integers(0, 400))] ^= int(random.integers(1, 256))
        path.write_bytes(copy)
        checkpoints.try_to_load(path)


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as whole:
        for name, data in members.items():
            whole.writestr(name, data)
    return buffer.getvalue()


def test_a_whole_model_of_ultralytics_and_of_fastai_shows_the_way(checkpoints: Checkpoints) -> None:
    classes = {
        "Cls": (b"ultralytics.nn.tasks\nClassificationModel", "yolo export model={path} format=onnx && cvserve serve"),
        "Det": (b"ultralytics.nn.tasks\nDetectionModel", "does not classify pictures (DetectionModel)"),
        "Fast": (b"fastai.learner\nLearner", 'python -c "import torch; from fastai.vision.all import load_learner'),
    }
    for name, (made, words) in classes.items():
        path = checkpoints.folder / f"{name}.pt"
        path.write_bytes(archive({"best/data.pkl": b"\x80\x02}X\x05\x00\x00\x00modelc" + made + b"\n)\x81s."}))
        assert words.format(path=path) in checkpoints.refuse(path)
