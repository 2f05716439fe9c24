"""Predictions that no model made."""

from cvserve.predictor.images.info import ImageInfo
from cvserve.predictor.prediction import ClassScore, ModelInfo, Prediction


def prediction(label: str = "4", score: float = 0.9, model: str = "digits", **changes: object) -> Prediction:
    """An answer of two classes, the first one best."""
    values: dict[str, object] = {
        "result": 4,
        "label": label,
        "score": score,
        "top": (ClassScore(4, label, score), ClassScore(1, "1", round(1 - score, 6))),
        "model": ModelInfo(model, "ab" * 32, "builtin"),
        "warning": None,
        "timing_ms": {"decode": 1.5, "infer": 0.5},
        "image": ImageInfo(64, 48, "JPEG", 99, "c" * 64),
    }
    return Prediction(**{**values, **changes})  # type: ignore[arg-type]
