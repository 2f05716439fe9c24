import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cvserve.errors import InvalidSetting
from cvserve.predictor.labelled import read_labelled

LABELS = ("cat", "dog", "cow")


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """A folder with files of the names given; their content is not read."""

    def make(*names: str) -> Path:
        root = tmp_path / "pictures"
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        return root

    return make


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "labels.csv"
        path.write_text(text, encoding=encoding)
        return path

    return write


def found(source: Path, labels: tuple[str, ...] = LABELS) -> list[tuple[str, int]]:
    return [(picture.path.name, picture.truth) for picture in read_labelled(source, labels)]


def test_a_folder_for_each_class_with_pictures_in_it_and_below(folder: Callable[..., Path]) -> None:
    root = folder("dog/b.jpg", "dog/2024/a.PNG", "cat/c.webp", "cat/notes.txt", "cow/.thumbs/d.jpg", "1/e.jpg")
    assert found(root) == [("e.jpg", 1), ("c.webp", 0), ("a.PNG", 1), ("b.jpg", 1)]


def test_a_table_names_paths_beside_itself(table: Callable[..., Path], tmp_path: Path) -> None:
    path = table("label,path,by\ncat,a/1.jpg,me\n2, b.jpg,you\n", encoding="utf-8-sig")
    assert found(path) == [("1.jpg", 0), ("b.jpg", 2)]
    assert read_labelled(path, LABELS)[0].path == tmp_path / "a" / "1.jpg"


def test_a_number_is_an_index_unless_classes_are_called_by_numbers(folder: Callable[..., Path]) -> None:
    root = folder("3/a.jpg")
    assert found(root, ("1", "2", "3")) == [("a.jpg", 2)]
    assert found(root, ("a", "b", "c", "d")) == [("a.jpg", 3)]
    with pytest.raises(InvalidSetting, match=r"names '3', which the model does not know; its classes are '7', '8'"):
        found(root, ("7", "8", "9", "10"))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], ["holds no labelled pictures", "a folder for each class"]),
        (["cat/notes.txt"], ["holds no labelled pictures"]),
        (["cat/a.jpg", "b.jpg"], ["itself holds 'b.jpg'", "move each picture"]),
        (["cats/a.jpg", "x/b.jpg"], ["'cats', 'x'", "'cat', 'dog', 'cow'", "did you mean 'cat'?"]),
        (["3/a.jpg"], ["names '3'"]),
    ],
)
def test_a_folder_that_cannot_be_used(
    folder: Callable[..., Path], tmp_path: Path, names: list[str], words: list[str]
) -> None:
    (tmp_path / "pictures").mkdir()
    with pytest.raises(InvalidSetting) as caught:
        found(folder(*names))
    for word in [*words, str(tmp_path / "pictures")]:
        assert word in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["path,label"]),
        ("path,label\n", ["path,label"]),
        ("file,class\na.jpg,cat\n", ["path,label"]),
        ("path,label\na.jpg,cat\nb.jpg\n", ["Line 3", "no path or no label"]),
        ("path,label\na.jpg,\n", ["Line 2"]),
        ("path,label\na.jpg,horse\n", ["'horse'"]),
    ],
)
def test_a_table_that_cannot_be_used(table: Callable[..., Path], text: str, words: list[str]) -> None:
    path = table(text)
    with pytest.raises(InvalidSetting) as caught:
        found(path)
    for word in [*words, str(path)]:
        assert word in str(caught.value)


def test_what_is_no_folder_and_no_table(table: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"There is no folder or CSV"):
        found(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidSetting, match=r"There is no folder or CSV"):
        found(tmp_path / "pipe")
    with pytest.raises(InvalidSetting, match=r"it is no CSV in UTF-8"):
        found(table("path,label\n\xe9.jpg,cat\n", encoding="latin-1"))
