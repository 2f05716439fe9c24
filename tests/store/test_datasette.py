"""Datasette opens the history and shows tables with labels."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cvserve.history.history import History
from support.predictions import prediction


def test_datasette_inspects_the_file(home: Path) -> None:
    with History.open(home) as history:
        history.add(prediction())
    out = subprocess.run(
        [sys.executable, "-m", "datasette", "inspect", "cvserve.db"], capture_output=True, check=True, timeout=60
    ).stdout
    tables = json.loads(out)["cvserve"]["tables"]
    assert tables["predictions"]["count"] == 1
    assert tables["models"]["count"] == 1


def test_datasette_shows_a_row_with_the_name_of_its_model(home: Path) -> None:
    from datasette.app import Datasette

    with History.open(home) as history:
        history.add(prediction("seven"), file_name="a.jpg")

    async def pages() -> tuple[str, Any, Any]:
        datasette = Datasette([str(home / "cvserve.db")])
        page = await datasette.client.get("/cvserve/predictions")
        rows = await datasette.client.get("/cvserve/predictions.json?_labels=on&_shape=array")
        facets = await datasette.client.get("/cvserve/predictions.json?_facet=label")
        for database in datasette.databases.values():
            database.close()
        return page.text, rows.json(), facets.json()

    page, (row,), facets = asyncio.run(pages())
    assert row["label"] == "seven"
    assert row["model_id"] == {"value": 1, "label": "digits"}
    assert "digits" in page
    assert "seven" in page
    assert facets["facet_results"]["label"]["results"][0]["value"] == "seven"
