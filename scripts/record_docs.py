"""Runs the commands of README.md, docs/http-api.md and docs/checking.md and writes what they print.

    python scripts/record_docs.py

`tests/docs/test_pages.py` runs the same commands and fails when a page has become untrue.
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.guide import Guide  # noqa: E402
from support.model_guide import ModelGuide  # noqa: E402
from support.pages import replayed  # noqa: E402

for page in ("README.md", "docs/http-api.md"):
    with tempfile.TemporaryDirectory() as folder:
        guide = Guide(Path(folder))
        try:
            text = replayed(page, guide.answer)
        finally:
            guide.server.stop()
        (ROOT / page).write_text(text, encoding="utf-8")
        print(f"wrote {page}")

with tempfile.TemporaryDirectory() as folder:
    text = replayed("docs/checking.md", ModelGuide(Path(folder)).answer)
(ROOT / "docs/checking.md").write_text(text, encoding="utf-8")
print("wrote docs/checking.md")
