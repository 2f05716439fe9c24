import dataclasses
import json
from pathlib import Path

from cvserve.predictor.images.limits import Limits
from cvserve.predictor.source import ModelSource
from cvserve.settings import Settings
from support.command import loaded_modules

SOURCE = ModelSource(
    "my_model.py:MaskModel",
    weights="best.pth",
    config="other.toml",
    sha256="a" * 64,
    trust_types=("mine.Type",),
    compile="never",
    device="cuda:1",
    half=True,
    trust=True,
    named_by_file=True,
    limits=Limits(max_pixels=1_000, max_frames=3, formats=("PNG",)),
    trial_s=61.0,
    max_batch_size=8,
)


def test_a_source_is_the_same_in_another_process() -> None:
    assert ModelSource.from_json(json.loads(json.dumps(SOURCE.to_json()))) == SOURCE
    paths = dataclasses.replace(SOURCE, path=Path("m.onnx"), weights=Path("best.pth"), config=Path("other.toml"))
    assert ModelSource.from_json(json.loads(json.dumps(paths.to_json()))) == dataclasses.replace(SOURCE, path="m.onnx")


def test_this_test_gives_every_field_a_value_of_its_own() -> None:
    default = ModelSource()
    assert not [part.name for part in dataclasses.fields(default) if getattr(SOURCE, part.name) == part.default]


def test_settings_name_a_source() -> None:
    settings = Settings(model="m.pkl", model_sha256="b" * 64, trust_type=("T",), max_pixels=5, formats=("GIF",))
    limits = Limits(max_pixels=5, formats=("GIF",))
    named = ModelSource("m.pkl", sha256="b" * 64, trust_types=("T",), limits=limits, trial_s=60.0)
    assert ModelSource.of(settings) == named
    assert ModelSource.of(Settings()) == ModelSource(trial_s=60.0)
    assert ModelSource.of(Settings(predict_timeout=90.0)).trial_s == 180.0
    on_device = ModelSource(device="cuda:1", half=True, trial_s=60.0, max_batch_size=16)
    assert ModelSource.of(Settings(device="cuda:1", half=True, max_batch_size=16)) == on_device


def test_the_front_may_import_it() -> None:
    modules = loaded_modules("import cvserve.predictor.source")
    assert not modules & {"numpy", "PIL", "cvserve.predictor.loading"}
