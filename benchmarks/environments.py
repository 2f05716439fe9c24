"""Makes a virtual environment for every peer: `python benchmarks/environments.py [NAME …]`.

A peer's packages never meet those of another or of cvserve. What is there already, for the same list, is kept.
"""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE / ".environments"
LISTS = HERE / "peers"
NAMES = tuple(sorted(path.stem for path in LISTS.glob("*.txt")))


def python_of(name: str) -> Path:
    """The interpreter of a peer's environment."""
    return FOLDER / name / "bin" / "python"


def is_ready(name: str) -> bool:
    """Whether the environment was made completely, from the list as it is now."""
    mark = FOLDER / name / "made-from"
    return mark.exists() and mark.read_text(encoding="ascii") == _fingerprint(name)


def make(name: str) -> None:
    """Make the environment if it is not ready; a few minutes of downloads for all of them.

    Raises:
        subprocess.CalledProcessError: pip could not install the list.
    """
    if is_ready(name):
        return
    print(f"environment of {name} …", file=sys.stderr, flush=True)
    venv.create(FOLDER / name, clear=True, with_pip=True)
    pip = [str(python_of(name)), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-r", str(LISTS / f"{name}.txt")], check=True)
    frozen = subprocess.run([*pip, "freeze"], check=True, capture_output=True, text=True).stdout
    (FOLDER / name / "frozen.txt").write_text(frozen, encoding="utf-8")
    (FOLDER / name / "made-from").write_text(_fingerprint(name), encoding="ascii")


def _fingerprint(name: str) -> str:
    text = (LISTS / f"{name}.txt").read_bytes() + sys.version.encode()
    return hashlib.sha256(text).hexdigest()


if __name__ == "__main__":
    for wanted in sys.argv[1:] or NAMES:
        make(wanted)
