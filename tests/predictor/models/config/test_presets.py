"""`preset = "imagenet"`: what it stands for, what is written beside it, and what the model file says against it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cvserve.errors import ModelLoadError
from cvserve.predictor.models.config.presets import PRESETS
from cvserve.predictor.models.config.read import ModelConfig, read_config
from cvserve.predictor.models.files.file import read_model_file
from cvserve.predictor.models.input_spec import InputSpec
from cvserve.predictor.models.resolve import InputFacts, resolve_input
from support.models import load_model


@pytest.fixture
def say(skops_file: Path) -> Callable[[str], ModelConfig]:
    def write(text: str) -> ModelConfig:
        skops_file.with_suffix(".toml").write_text(f"[input]\n{text}", encoding="utf-8")
        return read_config(skops_file)

    return write


def spec_of(config: ModelConfig, **said: Any) -> InputSpec:
    file = read_model_file(config.path.with_suffix(".skops"))
    return resolve_input(InputFacts(said), config, file)[0]


def test_a_preset_stands_for_its_keys_and_each_says_where_it_came_from(say: Callable[[str], ModelConfig]) -> None:
    config = say('preset = "imagenet"\nresample = "bicubic"')
    assert spec_of(config) == InputSpec(**{**PRESETS["imagenet"], "resample": "bicubic"})
    assert "input.preset" not in config.values
    assert config.origins["input.mean"] == 'preset "imagenet"'
    assert config.origins["input.resample"] == "model.toml"


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_used(name: str, say: Callable[[str], ModelConfig]) -> None:
    size = "" if "size" in PRESETS[name] else "\nsize = [32, 32]"
    spec = spec_of(say(f'preset = "{name}"{size}'))
    assert (spec.decode, len(spec.mean)) == ("exact", 3)


@pytest.mark.parametrize(
    ("beside", "fields"),
    [
        ("size = [448, 448]", {"size": (448, 448), "crop_ratio": 0.875}),
        ("short_side = 232", {"short_side": 232, "crop_ratio": 1.0}),
        ("crop_ratio = 0.9", {"crop_ratio": 0.9}),
        ('resize = "stretch"', {"resize": "stretch", "crop_ratio": 1.0}),
        ('decode = "auto"', {"decode": "auto"}),
    ],
)
def test_what_is_written_beside_it_wins_and_what_that_rules_out_goes(
    beside: str, fields: dict[str, Any], say: Callable[[str], ModelConfig]
) -> None:
    spec = spec_of(say(f'preset = "imagenet"\n{beside}'))
    assert {name: getattr(spec, name) for name in fields} == fields


def test_the_size_of_a_file_comes_before_that_of_a_preset(say: Callable[[str], ModelConfig]) -> None:
    config = say('preset = "imagenet"')
    assert spec_of(config, size=(96, 96)).size == (96, 96)
    with pytest.raises(ModelLoadError, match="says size"):
        spec_of(say('preset = "imagenet"\nsize = [224, 224]'), size=(96, 96))


def test_a_model_tells_which_preset_its_values_are_of(skops_file: Path, say: Callable[[str], ModelConfig]) -> None:
    say('preset = "half"\nsize = [8, 8]\nmode = "L"\nmean = 0.5\nstd = 0.5')
    assert load_model(skops_file).origins["input.decode"] == ("exact", 'preset "half"')


def test_of_timm(say: Callable[[str], ModelConfig]) -> None:
    pytest.importorskip("timm")
    config = say('preset = "timm:resnet18"')
    assert config.origins["input.crop_ratio"] == 'preset "timm:resnet18"'
    spec = spec_of(config)
    assert (spec.size, spec.resample, spec.crop_ratio) == ((224, 224), "bicubic", 0.95)
    assert spec_of(say('preset = "timm:tf_efficientnetv2_b3.in21k_ft_in1k"')).resize == "squash"
    for name, words in [
        ("resnet19", "did you mean 'resnet18'?"),
        ("zzzzzzzzzzz", "timm.list_models()"),
        ("deepseek_vit_412m", "crop_mode 'border'.*transform ="),
    ]:
        with pytest.raises(ModelLoadError, match=f"preset = 'timm:{name}'.*{words}"):
            say(f'preset = "timm:{name}"')


def test_without_timm_a_sentence_says_how_to_get_it(skops_file: Path, say: Callable[[str], ModelConfig]) -> None:
    with pytest.raises(ModelLoadError, match="did you mean"):
        say('preset = "imagnet"')
    skops_file.with_suffix(".toml").write_text('[input]\npreset = "timm:resnet18"\n')
    without = "import sys; sys.modules['timm'] = None; from cvserve.cli import main; sys.exit(main())"
    ended = subprocess.run(
        [sys.executable, "-c", without, "model", "inspect", skops_file],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "300"},
    )
    assert ended.returncode == 5
    assert "which needs timm; run: pip install 'cvserve[timm]'" in ended.stderr
