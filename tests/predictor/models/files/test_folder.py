"""What is read of a model's folder, and that it is all inside of it."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cvserve import Predictor
from cvserve.errors import CvserveError, ModelLoadError, Unsafe
from cvserve.predictor.models.files.folder import read_model

VIT = {"model_type": "vit", "architectures": ["ViTForImageClassification"]}
FILES = ("config.json", "preprocessor_config.json", "model.safetensors")


@pytest.fixture
def folder(home: Path) -> Path:
    """A folder of which nothing is looked into but its JSON."""
    made = home / "animals"
    made.mkdir()
    (made / "config.json").write_text(json.dumps(VIT), "utf-8")
    (made / "preprocessor_config.json").write_text("{}", "utf-8")
    (made / "model.safetensors").write_bytes(b"weights")
    return made


def refusal(path: Path) -> CvserveError:
    with pytest.raises(CvserveError) as caught:
        read_model(path)
    return caught.value


def test_its_hash_is_of_all_files_and_their_names(folder: Path) -> None:
    before = read_model(folder)
    assert before.size == sum((folder / name).stat().st_size for name in FILES)
    assert (before.data, before.kind.key) == (json.dumps(VIT).encode(), "huggingface")
    (folder / "README.md").write_text("not read", "utf-8")
    assert read_model(folder).sha256 == before.sha256
    hashes = {before.sha256}
    for name in FILES:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data + b" ")
        hashes.add(read_model(folder).sha256)
        (folder / name).write_bytes(data)
    (folder / "preprocessor_config.json").rename(folder / "processor_config.json")
    hashes.add(read_model(folder).sha256)
    assert len(hashes) == 5


@pytest.mark.parametrize("name", FILES)
def test_a_link_out_of_it_is_refused(folder: Path, home: Path, name: str) -> None:
    (folder / name).rename(home / "elsewhere")
    (folder / name).symlink_to("../elsewhere")
    refused = refusal(folder)
    assert isinstance(refused, Unsafe)
    assert f"animals/{name}' leads out of its folder, to '{home}/elsewhere'" in str(refused)


def test_a_link_within_it_is_followed(folder: Path) -> None:
    expected = read_model(folder).sha256
    (folder / "model.safetensors").rename(folder / "weights")
    (folder / "model.safetensors").symlink_to("weights")
    assert read_model(folder).sha256 == expected


def test_a_snapshot_in_the_cache_of_hugging_face(folder: Path, home: Path) -> None:
    expected = read_model(folder).sha256
    repository = home / "models--somebody--animals-tiny"
    snapshot = repository / "snapshots" / "0123abc"
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for name in FILES:
        shutil.copy(folder / name, repository / "blobs" / name[:4])
        (snapshot / name).symlink_to(Path("../../blobs", name[:4]))
    read = read_model(snapshot)
    assert read.sha256 == expected
    assert getattr(read, "name", None) == "animals-tiny"
    (repository / "blobs" / "conf").rename(home / "conf")
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to("../../../conf")
    assert "leads out of its folder" in str(refusal(snapshot))


@pytest.mark.parametrize(
    "shard",
    ["../secret.safetensors", "/etc/secret.safetensors", "inner/a.safetensors", "a.bin", "a\n.safetensors", 7, ""],
)
def test_an_index_names_files_of_its_folder_only(folder: Path, shard: object) -> None:
    (folder / "model.safetensors").unlink()
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": shard}}), "utf-8")
    assert "does not name the files of its weights" in str(refusal(folder))


def test_a_file_that_everybody_may_replace_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").chmod(0o666)
    assert "run: chmod o-w" in str(refusal(folder))
    (folder / "model.safetensors").chmod(0o644)
    folder.chmod(0o777)
    assert "Everybody may replace the files of the model" in str(refusal(folder))
    folder.chmod(0o755)
    read_model(folder)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda path: (path / "model.safetensors").unlink(),
            "has config.json and no model.safetensors; save the model",
        ),
        (lambda path: (path / "config.json").write_text("[" * 100_000), "has a config.json that is no JSON object"),
        (lambda path: (path / "config.json").write_text("[1]"), "has a config.json that is no JSON object"),
        (lambda path: os.truncate(path / "config.json", 17 * 2**20), "17,825,792 bytes; at most 16,777,216 are read"),
        (lambda path: os.truncate(path / "model.safetensors", 2**31 + 1), "at most 2,147,483,648 are read"),
    ],
    ids=["no weights", "deep", "a list", "a large config", "large weights"],
)
def test_folders_that_are_spoiled(folder: Path, spoil: Callable[[Path], object], words: str) -> None:
    spoil(folder)
    assert words in str(refusal(folder))


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")
    assert "a pipe or a device" in str(refusal(folder))


def test_another_folder_is_told_what_is_in_it(home: Path) -> None:
    folder = home / "models"
    folder.mkdir()
    assert "name the model file in it, .skops, " in str(refusal(folder))
    for name in ("b.onnx", "a.pt", "notes.txt"):
        (folder / name).touch()
    assert "'models' is a folder; name the model file in it, a.pt, b.onnx, or a folder with config.json" in str(
        refusal(Path("models"))
    )
    with pytest.raises(ModelLoadError, match="is a folder; name the model file in it"):
        Predictor.load("models/")
