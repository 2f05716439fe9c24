"""PyTorch models in every form that people save them in, and the forms that are refused."""

import contextlib
import hashlib
import io
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cvserve import Predictor
from cvserve.errors import CvserveError, ModelLoadError, UntrustedModel
from cvserve.predictor.predictor import LoadedPredictor
from support.models import load_model
from support.torch_models import (
    MODEL_PY,
    SIDE_PX,
    SIZE,
    exported,
    needs_torch,
    probabilities,
    scripted,
    trained,
    written,
)

pytestmark = needs_torch


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds `model.py` and `model.toml`."""
    return written(tmp_path / "net").parent


@pytest.fixture
def pictures() -> list[NDArray[Any]]:
    return list(np.random.default_rng(3).integers(0, 256, (5, SIDE_PX, SIDE_PX, 3), dtype=np.uint8))


def save(thing: Any, path: Path) -> Path:
    import torch

    torch.save(thing, path)
    return path


def served(folder: Path, weights: Path, **options: Any) -> LoadedPredictor:
    return Predictor.load(f"{folder / 'model.py'}:BaseModel", weights=weights, **options)


def refused(path: Path | str, error: type[CvserveError] = ModelLoadError, **options: Any) -> str:
    with pytest.raises(error) as caught:
        load_model(path, **options)
    assert caught.value.exit_code == 5
    assert "\n" not in str(caught.value)
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


def refused_weights(folder: Path, weights: Path) -> str:
    return refused(f"{folder / 'model.py'}:BaseModel", weights=weights)


def scores(predictor: Predictor, pictures: list[NDArray[Any]]) -> NDArray[Any]:
    """All scores, by class: each picture alone and then all together, which must agree."""
    together = predictor.predict_batch(pictures, top_k=99)
    for picture, answer in zip(pictures, together, strict=True):
        alone = predictor.predict(picture, top_k=99)
        assert np.allclose([entry.score for entry in alone.top], [entry.score for entry in answer.top], atol=1e-6)
    return np.array(
        [[entry.score for entry in sorted(answer.top, key=lambda entry: entry.index)] for answer in together]
    )


def prepared(pictures: list[NDArray[Any]]) -> NDArray[Any]:
    """As SIZE says: (pixel / 255 - mean) / std, NCHW."""
    values = (np.stack(pictures) / 255 - [0.5, 0.4, 0.3]) / 0.25
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2), dtype=np.float32)


def wrapped(net: Any, prefix: str) -> dict[str, Any]:
    return {prefix + key: value for key, value in net.state_dict().items()}


def checkpoint(net: Any) -> dict[str, Any]:
    return {"epoch": 3, "state_dict": net.state_dict(), "optimizer": {"state": {}, "param_groups": []}}


FORMS = {
    "state dict": lambda net, folder: save(net.state_dict(), folder / "best.pth"),
    "checkpoint": lambda net, folder: save(checkpoint(net), folder / "c.pt"),
    "under model": lambda net, folder: save({"model": net.state_dict(), "args": {"lr": 0.1}}, folder / "c.ckpt"),
    "data parallel": lambda net, folder: save(wrapped(net, "module."), folder / "p.pth"),
    "compiled and wrapped": lambda net, folder: save({"model": wrapped(net, "module._orig_mod.")}, folder / "p.pth"),
    "TorchScript": lambda net, folder: scripted(net, folder / "model.pt"),
    "export": lambda net, folder: exported(net, folder / "model.pt2"),
    "export of one": lambda net, folder: exported(net, folder / "model.pt2", batch=1),
    "export of three": lambda net, folder: exported(net, folder / "model.pt2", batch=3),
}


def model_of(form: str, net: Any, folder: Path) -> tuple[Path | str, dict[str, Any]]:
    """What to load, and how, for one of FORMS."""
    path = FORMS[form](net, folder)
    if path.stem == "model":
        return path, {"trust": True}
    return f"{folder / 'model.py'}:BaseModel", {"weights": path}


@pytest.mark.parametrize("form", FORMS)
def test_scores_are_those_of_pytorch(net: Any, folder: Path, pictures: list[NDArray[Any]], form: str) -> None:
    model, options = model_of(form, net, folder)
    predictor = Predictor.load(model, **options)
    assert np.abs(scores(predictor, pictures) - probabilities(net, prepared(pictures))).max() < 2e-6
    assert predictor.info.format == "torch"
    assert predictor.labels == ("cat", "dog", "mouse")
    assert predictor.scores == "logits"


def test_an_old_checkpoint_is_known_by_its_mark(net: Any, folder: Path, pictures: list[NDArray[Any]]) -> None:
    import torch

    torch.save(net.state_dict(), folder / "old.pth", _use_new_zipfile_serialization=False)
    found = scores(served(folder, folder / "old.pth"), pictures)
    assert np.abs(found - probabilities(net, prepared(pictures))).max() < 2e-6
    assert "holds the weights of a PyTorch model and not its class" in refused(folder / "old.pth")


def test_the_version_is_of_class_and_weights(net: Any, folder: Path) -> None:
    weights = save(net.state_dict(), folder / "best.pth")
    predictor = served(folder, weights)
    other = save({key: value + 1 for key, value in net.state_dict().items()}, folder / "other.pth")
    assert served(folder, other).info.version != predictor.info.version
    assert predictor.info.name == "basemodel"
    assert predictor.model.origins["weights"] == (str(weights), "file")


def test_arguments_of_the_class(folder: Path, pictures: list[NDArray[Any]]) -> None:
    wide = trained(num_classes=5)
    weights = save(wide.state_dict(), folder / "best.pth")
    (folder / "model.toml").write_text(SIZE + "[model]\nargs = { num_classes = 5 }\n")
    predictor = served(folder, weights)
    assert np.abs(scores(predictor, pictures) - probabilities(wide, prepared(pictures))).max() < 2e-6
    assert predictor.warm_up().labels == tuple("01234")
    (folder / "model.toml").write_text(SIZE)
    said = refused_weights(folder, weights)
    assert "of another size: head.weight is [5, 4] and should be [3, 4], head.bias is [5] and should be [3]" in said


def test_a_function_and_an_object_bring_their_weights(net: Any, folder: Path, pictures: list[NDArray[Any]]) -> None:
    weights = save(net.state_dict(), folder / "best.pth")
    text = MODEL_PY + (
        "\n\ndef ready():\n    net = BaseModel()\n"
        f"    net.load_state_dict(torch.load({str(weights)!r}))\n    return net\n\n\nmade = ready()\n"
    )
    (folder / "model.py").write_text(text)
    for name in ("ready", "made"):
        predictor = Predictor.load(f"{folder / 'model.py'}:{name}")
        assert np.abs(scores(predictor, pictures) - probabilities(net, prepared(pictures))).max() < 2e-6


def test_a_class_without_weights_is_not_served(folder: Path) -> None:
    assert "random weights; add its own: --weights best.pth" in refused(f"{folder / 'model.py'}:BaseModel")


def test_weights_of_another_class_are_told_by_their_names(net: Any, folder: Path) -> None:
    state = net.state_dict()
    state["extra.weight"] = state.pop("head.weight")
    said = refused_weights(folder, save(state, folder / "best.pth"))
    assert "BaseModel in model.py has other weights than those in 'best.pth': " in said
    assert "missing: head.weight; not known to the class: extra.weight" in said
    many = {f"layer{index}.weight": value for index, value in enumerate([*net.state_dict().values()])}
    assert "not known to the class: layer0.weight, layer1.weight, layer2.weight and 6 more" in refused_weights(
        folder, save(many, folder / "best.pth")
    )


def test_weights_from_before_batches_were_counted(net: Any, folder: Path, pictures: list[NDArray[Any]]) -> None:
    state = {key: value for key, value in net.state_dict().items() if not key.endswith("num_batches_tracked")}
    found = scores(served(folder, save(state, folder / "best.pth")), pictures)
    assert np.abs(found - probabilities(net, prepared(pictures))).max() < 2e-6


@pytest.mark.parametrize("thing", [{"epoch": 3}, [1, 2], {}])
def test_a_checkpoint_without_weights(folder: Path, thing: dict[str, int] | list[int]) -> None:
    assert "state dict" in refused_weights(folder, save(thing, folder / "best.pth"))


def test_a_whole_pickled_model_is_refused_and_not_run(folder: Path) -> None:
    code = (
        "import sys, torch; sys.path.insert(0, '.'); import model\n"
        "class Canary(model.BaseModel):\n"
        "    def __reduce__(self): return (exec, (\"open('ran', 'w').close()\",))\n"
        "torch.save(model.BaseModel(), 'whole.pth'); torch.save(Canary(), 'canary.pth')\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=60)
    said = refused(folder / "whole.pth")
    assert "'whole.pth' is a whole pickled PyTorch model (model.BaseModel, " in said
    assert "save the weights, torch.save(model.state_dict(), 'whole.pth')" in said
    assert f"--model model.py:BaseModel --weights {folder / 'whole.pth'}" in said
    assert "holds more than weights (model.BaseModel, " in refused_weights(folder, folder / "whole.pth")
    refused(folder / "canary.pth", trust=True)
    assert "holds more than weights (__builtin__.exec)" in refused_weights(folder, folder / "canary.pth")
    assert not (folder / "ran").exists()


def test_bare_weights_show_the_command(net: Any, folder: Path) -> None:
    path = save(net.state_dict(), folder / "best.pth")
    for trust in (False, True):
        said = refused(path, trust=trust)
        assert f"cvserve serve --model model.py:ClassName --weights {path}" in said


def test_other_files_as_weights(net: Any, folder: Path) -> None:
    assert "is a TorchScript program, a model with its class; serve it alone" in refused_weights(
        folder, scripted(net, folder / "s.pt")
    )
    for name, data in {
        "a.pkl": pickle.dumps({"a": 1}),
        "a.bin": b"what is this",
        "a.zip": _zipped({"a": b"b"}),
    }.items():
        (folder / name).write_bytes(data)
        assert "not weights of PyTorch; save them with torch.save" in refused_weights(folder, folder / name)


def _zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["TorchScript", "export"])
def test_programs_need_trust(net: Any, folder: Path, form: str) -> None:
    path = FORMS[form](net, folder)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert f"cvserve model trust {path} --sha256 {sha256}" in refused(path, UntrustedModel)
    assert load_model(path, sha256=sha256).info.format == "torch"


@pytest.mark.parametrize("form", ["TorchScript", "state dict"])
def test_the_size_must_be_said(net: Any, folder: Path, form: str) -> None:
    model, options = model_of(form, net, folder)
    (folder / "model.toml").write_text("")
    assert "write into model.toml: [input] size = [width, height]" in refused(model, **options)


def test_an_export_knows_its_size(net: Any, folder: Path) -> None:
    (folder / "model.toml").unlink()
    model = load_model(exported(net, folder / "model.pt2"), trust=True)
    assert model.origins["input.size"] == ((8, 8), "file")
    assert model.origins["input.layout"] == ("NCHW", "file")
    grey = trained(channels=1)
    model = load_model(exported(grey, folder / "grey.pt2", shape=(1, 6, 9)), trust=True)
    assert model.origins["input.size"] == ((9, 6), "file")
    assert model.origins["input.mode"] == ("L", "file")
    (folder / "grey.toml").write_text("[input]\nsize = [8, 8]\n")
    assert "grey.toml says size = (8, 8), but 'grey.pt2' takes (9, 6)" in refused(folder / "grey.pt2", trust=True)


def test_an_export_in_training_mode_is_refused(folder: Path) -> None:
    path = exported(trained().train(), folder / "model.pt2", batch=2)
    assert "was exported in training mode" in refused(path, trust=True)


@pytest.mark.parametrize("form", ["trace", "freeze"])
@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_other_ways_to_torchscript(net: Any, folder: Path, pictures: list[NDArray[Any]], form: str) -> None:
    import torch

    if form == "trace":
        program = torch.jit.trace(net, torch.rand(1, 3, SIDE_PX, SIDE_PX))
    else:
        program = torch.jit.freeze(torch.jit.script(net))
    torch.jit.save(program, folder / "model.pt")
    found = scores(Predictor.load(folder / "model.pt", trust=True), pictures)
    assert np.abs(found - probabilities(net, prepared(pictures))).max() < 2e-6


def test_a_module_in_training_mode_answers_as_in_evaluation(
    net: Any, folder: Path, pictures: list[NDArray[Any]]
) -> None:
    expected = probabilities(net, prepared(pictures))
    path = scripted(trained().train(), folder / "model.pt")
    assert np.abs(scores(Predictor.load(path, trust=True), pictures) - expected).max() < 2e-6


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        (SIZE.replace('"RGB"', '"L"').replace("mean = [0.5, 0.4, 0.3]", ""), "float32 [1, 1, 8, 8]"),
        (SIZE + 'layout = "flat"\n', "float32 [1, 192]"),
        ('[input]\nsize = [8, 8]\nmode = "RGB"\ndtype = "uint8"\nscale = 1\n', "uint8 [1, 3, 8, 8]"),
        ('labels = ["a", "b"]\n' + SIZE, "model.toml has 2 labels, but {title} knows 3 classes"),
    ],
)
@pytest.mark.parametrize("form", ["TorchScript", "state dict"])
def test_what_does_not_fit_is_told_at_the_start(net: Any, folder: Path, form: str, toml: str, words: str) -> None:
    model, options = model_of(form, net, folder)
    (folder / "model.toml").write_text(toml)
    title = "'model.pt'" if form == "TorchScript" else "BaseModel in model.py"
    assert words.format(title=title) in refused(model, **options)


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ("{'logits': y, 'features': x}", None),
        ("{'y': y}", None),
        ("(y, x)", None),
        ("[y]", None),
        ("y[:, :, None, None]", None),
        ("y.double()", None),
        ("y.bfloat16()", None),
        ("type('Output', (), {'logits': y})()", None),
        ("{'a': y, 'b': x}", None),
        ("(x, y)", None),
        ("(x.flatten(1), y)", None),
        ("{'a': x, 'b': x}", "It gives a, b by name; call the scores 'logits'"),
        ("{'a': y, 'b': 2 * y}", "gives 'a' [N, 3], 'b' [N, 3], and it cannot be seen which of them are the scores"),
        ("(2 * y, y)", "write into model.toml which one, such as [output] use = 1"),
        ("y.topk(2)", "gives only the best scores of a picture and their classes (top k)"),
        ("y[:, :1]", "It gives one number for a picture"),
        ("x", "answered shape [1, 3, 8, 8]"),
        ("y / 0 * 0", "not a finite number"),
        ("'cat'", "It gives a str"),
        ("None", "It gives a NoneType"),
        ("y + undefined", "NameError"),
    ],
)
def test_what_a_module_may_give(
    net: Any, folder: Path, pictures: list[NDArray[Any]], returned: str, words: str | None
) -> None:
    text = MODEL_PY.replace("return self.head(", "y = self.head(").rstrip() + f"\n        return {returned}\n"
    (folder / "model.py").write_text(text)
    weights = save(net.state_dict(), folder / "best.pth")
    if words is not None:
        assert words in refused_weights(folder, weights)
        return
    expected = probabilities(net, prepared(pictures))
    assert np.abs(scores(served(folder, weights), pictures) - expected).max() < (1e-2 if "bfloat" in returned else 2e-6)


@pytest.mark.parametrize("form", ["state dict", "TorchScript", "export"])
def test_one_logit_is_that_of_the_second_of_two_classes(folder: Path, pictures: list[NDArray[Any]], form: str) -> None:
    net = trained(num_classes=1)
    arguments = "[model]\nargs = { num_classes = 1 }\n" if form == "state dict" else ""
    toml = f'labels = ["cat", "dog"]\n{SIZE}[output]\nscores = "logits"\n{arguments}'
    (folder / "model.toml").write_text(toml)
    model, options = model_of(form, net, folder)
    predictor = Predictor.load(model, **options)
    import torch

    with torch.inference_mode():
        dog = torch.sigmoid(net(torch.from_numpy(prepared(pictures)))).double().numpy()
    assert np.abs(scores(predictor, pictures) - np.concatenate([1 - dog, dog], axis=1)).max() < 2e-6


def test_a_mistake_in_forward_is_told_by_its_line(net: Any, folder: Path) -> None:
    (folder / "model.py").write_text(MODEL_PY.replace("self.features(x)", "self.featurez(x)"))
    said = refused_weights(folder, save(net.state_dict(), folder / "best.pth"))
    assert "model.py, line 13: AttributeError" in said


@pytest.mark.parametrize("form", ["TorchScript", "export", "state dict"])
def test_files_cut_short_or_changed_are_our_errors_and_nothing_else(
    net: Any, folder: Path, form: str, capfd: pytest.CaptureFixture[str]
) -> None:
    model, options = model_of(form, net, folder)
    path = options.get("weights", model)
    data = path.read_bytes()
    for end in [*range(1, len(data), max(1, len(data) // 25)), len(data) - 1]:
        path.write_bytes(data[:end])
        refused(model, **options)
    random = np.random.default_rng(5)
    for _ in range(60):
        copy = bytearray(data)
        for place in random.integers(0, len(copy), 3):
            copy[place] ^= int(random.integers(1, 256))
        path.write_bytes(copy)
        with contextlib.suppress(ModelLoadError):
            load_model(model, **options)
    assert "Traceback" not in capfd.readouterr().err


def test_an_archive_with_a_bomb_or_twice_the_same_member(net: Any, folder: Path) -> None:
    path = save(net.state_dict(), folder / "best.pth")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("best/data/99", bytes(200 * 1024**2))
    assert "zip bomb; save the model again with torch.save" in refused_weights(folder, path)
    save(net.state_dict(), path)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("best/data.pkl", b"x")
    assert "'best/data.pkl' twice" in refused_weights(folder, path)


@pytest.mark.parametrize("form", ["TorchScript", "export", "state dict"])
def test_one_changed_byte_of_the_weights_is_noticed(net: Any, folder: Path, form: str) -> None:
    model, options = model_of(form, net, folder)
    path = options.get("weights", model)
    data = bytearray(path.read_bytes())
    weights = net.head.weight.detach().numpy().tobytes()
    assert data.count(weights) == 1
    data[data.index(weights)] ^= 1
    path.write_bytes(data)
    assert "is damaged: the checksum of " in refused(model, **options)


def test_threads_are_as_many_as_the_environment_says_when_the_model_is_loaded(net: Any, folder: Path) -> None:
    weights = save(net.state_dict(), folder / "best.pth")
    code = (
        "import os, torch; from cvserve import Predictor\n"
        "os.environ['OMP_NUM_THREADS'] = '3'  # too late for PyTorch itself\n"
        f"Predictor.load({str(folder / 'model.py') + ':BaseModel'!r}, weights={str(weights)!r})\n"
        "print(torch.get_num_threads())"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert ended.stdout.strip() == "3"


def test_a_picture_is_fed_as_a_contiguous_float32_tensor(folder: Path, net: Any) -> None:
    seen = "x.is_contiguous() and x.dtype == torch.float32 and not torch.is_grad_enabled() and not self.training"
    head = "    def forward(self, x):\n"
    (folder / "model.py").write_text(MODEL_PY.replace(head, f"{head}        assert {seen}\n"))
    predictor = served(folder, save(net.state_dict(), folder / "best.pth"))
    assert predictor.predict(Image.new("RGB", (8, 8), "red")).label in ("cat", "dog", "mouse")
