"""Who follows the section about Hugging Face gets a server."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.hf_folders import needs_transformers
from support.pages import blocks
from support.pictures import digit_photo
from support.process import ServerProcess

pytestmark = [*needs_transformers, pytest.mark.slow]
PAGE, SECTION = "docs/models.md", "Hugging Face"


def test_a_folder_is_served_as_it_was_saved(home: Path, server_process: Callable[..., ServerProcess]) -> None:
    (code,) = blocks(PAGE, "python", SECTION)
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=home, check=True, timeout=120)
    (_, serve), _ = [block.splitlines() for block in blocks(PAGE, "sh", SECTION)]
    server = server_process(*serve.split()[2:], "--no-auth", "--workers", "2")
    with server.client() as client:
        answer = client.post("/predict", content=digit_photo("4")).json()
    assert answer["label"] in ("cat", "dog", "mouse")
    assert answer["model"]["name"] == "animals"
    server.stop()
