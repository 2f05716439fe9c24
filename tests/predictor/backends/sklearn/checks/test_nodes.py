"""What compiled constructors would be given is looked at before they are called."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvserve.errors import ModelLoadError
from support.hostile_models import dumped
from support.models import load_model


def nodes_of(schema: Any, loader: str) -> list[dict[str, Any]]:
    found, todo = [], [schema]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            if item.get("__loader__") == loader:
                found.append(item)
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)
    return found


def forge(kind: str, path: Path, change: Callable[[Any, dict[str, bytes]], None]) -> None:
    """Write a model of the kind in whose schema and files something was changed."""
    with zipfile.ZipFile(io.BytesIO(dumped(kind, 3))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members["schema.json"])
    change(schema, members)
    members["schema.json"] = json.dumps(schema).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def flatten(schema: Any, members: dict[str, bytes]) -> None:
    """The nodes of a tree become an array without a side, of which scikit-learn takes the first."""
    name = nodes_of(schema, "TreeNode")[0]["content"]["content"]["nodes"]["file"]
    members[name] = npy(np.load(io.BytesIO(members[name]))[0])


def shorten(schema: Any, members: dict[str, bytes]) -> None:
    name = nodes_of(schema, "TreeNode")[0]["content"]["content"]["values"]["file"]
    members[name] = npy(np.load(io.BytesIO(members[name]))[:-1])


def many_outputs(schema: Any, _: dict[str, bytes]) -> None:
    nodes_of(schema, "TreeNode")[0]["__reduce__"]["args"]["content"][2].update(content="7", __id__=None)


@pytest.mark.parametrize("change", [flatten, shorten, many_outputs])
@pytest.mark.parametrize("kind", ["tree", "forest"])
def test_a_tree_that_cannot_be_made_is_refused(tmp_path: Path, kind: str, change: Callable[..., None]) -> None:
    forge(kind, tmp_path / "m.skops", change)
    with pytest.raises(ModelLoadError, match="holds a Tree that cannot be made") as caught:
        load_model(tmp_path / "m.skops")
    assert caught.value.exit_code == 5


def test_a_generator_that_would_be_made_for_hours_is_refused(tmp_path: Path) -> None:
    def change(schema: Any, _: dict[str, bytes]) -> None:
        seed = nodes_of(schema, "RandomGeneratorNode")[0]["content"]["seed_seq"]["content"]
        seed["pool_size"].update(content=str(10**9), __id__=None)

    forge("histogram", tmp_path / "m.skops", change)
    with pytest.raises(ModelLoadError, match="random generator with a pool of 1000000000 words"):
        load_model(tmp_path / "m.skops")
