"""The work that is given to every server: pictures and models, made once into `.work/`."""

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import sklearn.datasets
from PIL import Image
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).resolve().parent
FOLDER = HERE / ".work"
SMALL, LARGE = "small", "large"
# Name: size in pixels (width, height), bytes to come near to.
PICTURES = {SMALL: ((512, 384), 20_000), LARGE: ((1632, 1224), 330_000)}
EACH = 4  # pictures of each photo
INPUT = '[input]\nsize = [8, 8]\nmode = "L"\nscale = 0.0627450980392157\nlayout = "flat"\n'
MODELS: dict[str, Callable[[], BaseEstimator]] = {
    "linear": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "forest": lambda: RandomForestClassifier(100, random_state=0),
}
EXACT = "exact"


def pictures(kind: str) -> Path:
    """The folder of the JPEG files of a kind."""
    return FOLDER / kind


def peer_model(kind: str) -> Path:
    """The file for peers."""
    return FOLDER / "models" / f"{'linear' if kind == EXACT else kind}.joblib"


def our_model(kind: str) -> Path:
    """The file for cvserve: `linear`, `forest`, or `exact`, the linear one with full decode."""
    return FOLDER / "models" / kind / "digits.joblib"


def model_options(kind: str) -> list[str]:
    """How cvserve is given a model: the very file that the peers load, and so its hash."""
    digest = hashlib.sha256(our_model(kind).read_bytes()).hexdigest()
    return ["--model", str(our_model(kind)), "--model-sha256", digest]


def make() -> None:
    """Make what is not there; always the same bytes."""
    if (FOLDER / "made").exists():
        return
    for kind, (size, wanted) in PICTURES.items():
        pictures(kind).mkdir(parents=True, exist_ok=True)
        for index, image in enumerate(_views(size)):
            (pictures(kind) / f"{index}.jpg").write_bytes(_jpeg(image, wanted))
    digits = sklearn.datasets.load_digits()
    for kind, estimator in MODELS.items():
        fitted = estimator().fit(digits.data.astype(np.float32), digits.target)
        our_model(kind).parent.mkdir(parents=True, exist_ok=True)
        joblib.dump(fitted, peer_model(kind))
        our_model(kind).write_bytes(peer_model(kind).read_bytes())
        our_model(kind).with_suffix(".toml").write_text(INPUT, encoding="ascii")
    our_model(EXACT).parent.mkdir(exist_ok=True)
    our_model(EXACT).write_bytes(our_model("linear").read_bytes())
    our_model(EXACT).with_suffix(".toml").write_text(INPUT + 'decode = "exact"\n', encoding="ascii")
    (FOLDER / "made").touch()


def expected(kind: str, picture: bytes) -> int:
    """The class that the model gives after a full decode by Pillow."""
    image = Image.open(io.BytesIO(picture)).convert("L").resize((8, 8), Image.Resampling.BILINEAR)
    row = np.asarray(image, np.float32).reshape(1, -1) * (16 / 255)
    return int(joblib.load(peer_model(kind)).predict_proba(row)[0].argmax())


def quiet_threads() -> dict[str, str]:
    """Variables that keep BLAS and OpenMP to one thread, beside what is set already."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(names, "1")}


def _views(size: tuple[int, int]) -> list[Image.Image]:
    """Different parts of scikit-learn's photos."""
    made = []
    for photo in sklearn.datasets.load_sample_images().images:
        image = Image.fromarray(photo)
        for index in range(EACH):
            left, top = 12 * index, 8 * index
            box = (left, top, left + 560, top + 400)
            made.append(image.crop(box).resize(size, Image.Resampling.LANCZOS))
    return made


def _jpeg(image: Image.Image, wanted: int) -> bytes:
    """The JPEG whose size in bytes comes nearest."""
    tried = []
    for quality in range(20, 100, 3):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        tried.append(buffer.getvalue())
    return min(tried, key=lambda data: abs(len(data) - wanted))
