"""What compiling gains: microseconds a picture in the model alone, the estimator beside its ONNX graph.

python benchmarks/compiled.py            linear model, network, SVC and forest of 100; some 20 seconds
python benchmarks/compiled.py --every    neighbours, boosting and others as well

Both run in this process on one thread, in turn, so that a slow moment meets both; figures are medians.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import work

os.environ.update(work.quiet_threads())

import numpy as np
import skops.io
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits
from sklearn.ensemble import AdaBoostClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from cvserve.errors import ModelLoadError
from cvserve.predictor.loading import load_model
from cvserve.predictor.source import ModelSource

BATCHES = (1, 32)
TURNS = 60
TURN_S = 0.01
MODELS: dict[str, Callable[[], BaseEstimator]] = {
    "linear (scaler, logistic regression)": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "network (MLP, 128)": lambda: MLPClassifier((128,), max_iter=300, random_state=0),
    "SVC": SVC,
    "forest of 100": lambda: RandomForestClassifier(100, random_state=0),
}
OTHERS: dict[str, Callable[[], BaseEstimator]] = {
    "ridge": RidgeClassifier,
    "bayes": lambda: GaussianNB(var_smoothing=0.1),
    "neighbours": lambda: KNeighborsClassifier(3),
    "tree": DecisionTreeClassifier,
    "boosting": lambda: GradientBoostingClassifier(n_estimators=20, max_depth=3),
    "AdaBoost": lambda: AdaBoostClassifier(n_estimators=20),
}


def main() -> None:
    """Print the table, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", action="store_true", help="more kinds of models")
    chosen = MODELS | OTHERS if parser.parse_args().every else MODELS
    digits = load_digits()
    rows = digits.data.astype(np.float32) / 16
    print("| model | " + " | ".join(f"batch {size}: estimator | compiled | gain" for size in BATCHES) + " |")
    print("|---|" + "--:|" * 3 * len(BATCHES))
    with tempfile.TemporaryDirectory(prefix="cvserve-compiled-") as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        for title, make in chosen.items():
            path = Path(folder) / "m.skops"
            skops.io.dump(make().fit(rows, digits.target), path)
            path.with_suffix(".toml").write_text("[input]\nscale = 0.00392156862745098\n", encoding="ascii")
            try:
                asks = [load_model(ModelSource(path, compile=mode)).backend.infer for mode in ("never", "require")]
            except ModelLoadError as error:
                print(f"{title}: {error}", file=sys.stderr)
                continue
            cells = []
            for size in BATCHES:
                known, compiled = interleaved(asks, rows[:size])
                cells += [f"{known:.1f}", f"{compiled:.1f}", f"{known / compiled:.1f} ×"]
            print(f"| {title} | {' | '.join(cells)} |", flush=True)


def interleaved(asks: Sequence[Callable[[np.ndarray], object]], batch: np.ndarray) -> list[float]:
    """For each function the median of its turns, in microseconds a row of the batch."""
    turns: list[list[float]] = [[] for _ in asks]
    counts = [max(1, round(TURN_S / _once(ask, batch))) for ask in asks]
    for _ in range(TURNS):
        for ask, count, taken in zip(asks, counts, turns, strict=True):
            begin = time.perf_counter()
            for _ in range(count):
                ask(batch)
            taken.append((time.perf_counter() - begin) / count / len(batch) * 1e6)
    return [statistics.median(taken) for taken in turns]


def _once(ask: Callable[[np.ndarray], object], batch: np.ndarray) -> float:
    """Seconds of one call, after one to warm up."""
    ask(batch)
    begin = time.perf_counter()
    ask(batch)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
