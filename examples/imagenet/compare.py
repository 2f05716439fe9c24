"""Ask cvserve and PyTorch about the same photos: `python compare.py`; exit code 1 when scores differ by over 1e-4.

The photos are those of scikit-image. They are written to `photos/`, so that they can be sent to a server as well.
"""

import sys
from pathlib import Path

import efficientnet
import numpy as np
import skimage.data
from PIL import Image

from cvserve import Predictor

HERE = Path(__file__).resolve().parent
PHOTOS = ("chelsea", "coffee", "rocket", "camera")
TOLERANCE = 1e-4
CLASSES = 1_000


def photos() -> list[Path]:
    """The photos as files, PNG so that both sides see the same pixels."""
    folder = HERE / "photos"
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{name}.png" for name in PHOTOS]
    for path in paths:
        Image.fromarray(getattr(skimage.data, path.stem)()).save(path)
    return paths


def main() -> int:
    """Print a table and say whether all scores agree."""
    paths = photos()
    ours = Predictor.load(HERE / "model.onnx").predict_batch(paths, top_k=CLASSES)
    theirs = efficientnet.scores(efficientnet.load(), [Image.open(path) for path in paths])
    worst = 0.0
    print("photo     cvserve                  score   PyTorch  difference of all 1,000")
    for path, prediction, row in zip(paths, ours, theirs, strict=True):
        scores = np.zeros(CLASSES)
        for entry in prediction.top:
            scores[entry.index] = entry.score
        difference = float(np.abs(scores - row).max())
        worst = max(worst, difference)
        score = row[prediction.result]
        print(f"{path.stem:9} {prediction.label:23} {prediction.score:.4f}  {score:.4f}   {difference:.1e}")
    return int(worst > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
