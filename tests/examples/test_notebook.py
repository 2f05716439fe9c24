"""`examples/notebook.ipynb` runs from top to bottom in a fresh kernel, and shows what is kept in the file."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook.ipynb"


@pytest.fixture(scope="module")
def kept() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.fixture(scope="module")
def run(kept: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same, run now."""
    notebook = nbformat.from_dict(nbformat.read(NOTEBOOK, as_version=4))
    folder = tmp_path_factory.mktemp("notebook")
    return NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()


def shown(notebook: Any) -> list[tuple[str, Any]]:
    """What each cell gives as text; a prediction, which is shown as HTML, has times in its text."""
    return [
        (cell.source, [output.data["text/plain"] for output in cell.outputs if "text/html" not in output.data])
        for cell in notebook.cells
        if "outputs" in cell
    ]


def test_every_cell_gives_what_is_kept_in_the_file(kept: Any, run: Any) -> None:
    assert shown(run) == shown(kept)


def test_a_prediction_shows_its_picture_and_bars(run: Any) -> None:
    outputs = [output.data for cell in run.cells for output in cell.get("outputs", [])]
    (html,) = [data["text/html"] for data in outputs if "text/html" in data]
    assert "data:image/" in html
    assert "97." in html


def test_the_history_has_what_was_added(run: Any) -> None:
    source, (text,) = shown(run)[-3]
    assert "history.rows" in source
    assert "digit-3-paper.jpg" in text
