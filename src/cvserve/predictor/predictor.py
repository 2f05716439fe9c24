"""`Predictor`: the three steps of a classifier, and one way to run them for one picture or many.

A model of your own is a subclass with the same three steps:

    class MaskModel(Predictor):
        labels = ("mask", "no mask")
        def setup(self): ...                    # load weights, once per process
        def preprocess(self, image): ...        # PIL image -> array for one image
        def infer(self, batch): ...             # array [N, …] -> scores [N, C]
"""

import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.errors import CvserveError, InvalidParameter, ModelError
from cvserve.predictor import scores as score_rules
from cvserve.predictor.backends.python.beside import name_of, read_beside
from cvserve.predictor.batch import Decoded, answer, decoded, model_error, ms_since
from cvserve.predictor.contract import Inferred, LoadedModel, Prepared
from cvserve.predictor.images.decode import sample_picture
from cvserve.predictor.images.limits import Limits, Want
from cvserve.predictor.loading import load_model
from cvserve.predictor.prediction import ModelInfo, Prediction
from cvserve.predictor.source import ModelSource
from cvserve.predictor.steps import Steps

DEFAULT_TOP_K = 5
_BATCH = 64


class Predictor(Steps):
    """A classifier of pictures.

    Attributes:
        name: shown in answers and history; default: the class's name in lower case.
        labels: names of the classes; default: "0", "1", …
        scores: what `infer` gives: `probabilities`, `logits` or `labels`; default: seen at warm-up.
        weights: file that `setup` may read, as `--weights` named it; default: none.
        limits: pixels, frames and formats of the pictures.
        info: which model this is (name, version, format).
        guessed: what about it was neither said nor read from its file, such as `scale`.
    """

    guessed: tuple[str, ...] = ()
    model_format: ClassVar[str] = "python"

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.info = ModelInfo(name_of(self), "0" * 64, self.model_format)
        beside = read_beside(self, self.model_format)
        if beside is not None:
            self.info, self.labels, self.scores, self._preparation = beside
        self._setup_lock = threading.Lock()
        self._is_set_up = False

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        config: str | os.PathLike[str] | None = None,
        trust: bool = False,
        sha256: str | None = None,
        trust_types: Sequence[str] = (),
        compile: str = "auto",  # noqa: A002 - the setting's name
        weights: str | os.PathLike[str] | None = None,
    ) -> "LoadedPredictor":
        """Load a model file or a class; without a path, the built-in model for one digit.

        Args:
            path: `.skops`, `.joblib`, `.pkl`, `.onnx`, TorchScript or `.pt2`, told apart by content; or a class,
                `my_model.py:MaskModel` or `package.module:MaskModel`, whose code is run.
            config: another `model.toml` than the one beside the file.
            trust: run the code that a pickle may hide. Only for files that you made yourself.
            sha256: load only if the file has this hash, 64 hex digits; it also counts as trust.
            trust_types: names of skops types outside of scikit-learn that may be loaded.
            compile: `auto`: a scikit-learn estimator runs as ONNX where that gives the same answers, if the extra
                `onnx` is installed; `never`; `require`: it is an error otherwise.
            weights: file for a class: the state dict of a PyTorch module, or whatever the class makes of it.

        Raises:
            ModelLoadError: no such file or class, not a model, it does not fit its input or labels, or a mistake
                in the class.
            UntrustedModel: a pickle that nobody vouched for.
        """
        types = tuple(trust_types)
        return load_predictor(
            ModelSource(
                path, config=config, trust=trust, sha256=sha256, trust_types=types, compile=compile, weights=weights
            )
        )

    def predict(self, image: Any, *, top_k: int = DEFAULT_TOP_K) -> Prediction:
        """Classify one picture.

        Args:
            image: a path, the encoded bytes, a PIL image, or an array uint8 [H, W], [H, W, 3] or [H, W, 4].
            top_k: length of `top`, from 1; at most all classes are given.

        Raises:
            ImageError: the picture cannot be answered (`InvalidImage`, `ImageTooLarge`, `UnsupportedImage`).
            ModelError: the model failed.
        """
        return self.predict_batch([image], top_k=top_k)[0]

    def predict_batch(self, images: Iterable[Any], *, top_k: int = DEFAULT_TOP_K) -> list[Prediction]:
        """Classify many pictures in order; the first that fails raises its error.

        Args:
            images: each as for `predict`.
            top_k: as for `predict`.
        """
        predictions = []
        todo = list(images)
        for start in range(0, len(todo), _BATCH):
            for outcome in self.outcomes(todo[start : start + _BATCH], top_k=top_k):
                if isinstance(outcome, CvserveError):
                    raise outcome
                predictions.append(outcome)
        return predictions

    def outcomes(
        self, images: Sequence[Any], *, top_k: int = DEFAULT_TOP_K, keep_source: bool = True
    ) -> list[Prediction | CvserveError]:
        """One batch, in which a bad picture fails alone: an answer or an error for each, in order.

        This is the one way through the three steps; the library, the command line and the server take it.

        Args:
            images: each as for `predict`.
            top_k: as for `predict`.
            keep_source: whether each answer remembers its picture, for the notebook.
        """
        if not isinstance(top_k, int) or top_k < 1:
            raise InvalidParameter(f"top_k is {top_k}; give 1 or more.")
        self.ensure_set_up()
        entries = decoded(images, self.want(), self.limits, self.preprocess)
        good = [entry for entry in entries if not isinstance(entry, CvserveError)]
        answers = iter(self._answers(good, top_k))
        outcomes: list[Prediction | CvserveError] = []
        for image, entry in zip(images, entries, strict=True):
            outcome = entry if isinstance(entry, CvserveError) else next(answers)
            if keep_source and isinstance(outcome, Prediction):
                outcome = replace(outcome, source=image)
            outcomes.append(outcome)
        return outcomes

    def warm_up(self) -> Self:
        """Set up and run once on a grey picture, so that the first user does not wait for it.

        Raises:
            ModelError: the model cannot answer; better now than at the first request.
        """
        outcome = self.outcomes([sample_picture(self.warm_up_size(), self.limits.formats[0])])[0]
        if isinstance(outcome, CvserveError):
            raise outcome
        return self

    def ensure_set_up(self) -> None:
        """Run `setup`, unless that was done; whatever answers calls it first."""
        if self._is_set_up:
            return
        with self._setup_lock:
            if not self._is_set_up:
                self.setup()
                self._is_set_up = True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.info.name} {self.info.version} ({self.info.format})>"

    def _answers(self, entries: list[Decoded], top_k: int) -> list[Prediction | CvserveError]:
        if not entries:
            return []
        begin = time.perf_counter()
        try:
            batch = _stacked(entries)
            raw = self.infer(batch)
            scores, warnings = raw if isinstance(raw, Inferred) else (raw, [None] * len(entries))
            rows = self._probabilities(scores, len(entries))
            if len(warnings) != len(entries):
                raise ModelError(f"The model gave {len(warnings)} warnings for {len(entries)} pictures.")
        except (Exception, SystemExit) as error:  # the model's own code; its text stays out of answers
            if len(entries) > 1:
                # One picture may have upset the whole batch: ask again one by one.
                return [alone for entry in entries for alone in self._answers([entry], top_k)]
            failure = error if isinstance(error, ModelError) else model_error("infer", error)
            return [failure for _ in entries]
        infer_ms = ms_since(begin)
        tops = score_rules.best(rows, tuple(self.labels or ()), top_k)
        return [answer(*parts, self.info, infer_ms) for parts in zip(tops, entries, warnings, strict=True)]

    def _probabilities(self, raw: Any, rows: int) -> NDArray[np.float64]:
        values, self.labels, self.scores = score_rules.settled(raw, rows, self.labels, self.scores)
        return values


def _stacked(entries: list[Decoded]) -> NDArray[Any]:
    """The arrays as one batch, which the model may write to."""
    if len(entries) == 1:  # an idle server's case, and `np.stack` makes a dozen calls of it
        return entries[0].array[None].copy()
    return np.stack([entry.array for entry in entries])


class LoadedPredictor(Predictor):
    """A model that came from a file, or the built-in one.

    Attributes:
        model: the file's parts: preparation, backend, labels, where each property came from.
    """

    def __init__(self, model: LoadedModel, limits: Limits | None = None) -> None:
        super().__init__(limits)
        self.model = model
        self.info = model.info
        self.name = model.info.name
        self.labels = model.labels
        self.scores = model.scores
        self.guessed = model.guessed
        self._want = model.preparation.want()

    def preprocess(self, image: Image.Image) -> NDArray[Any] | Prepared:
        """As the file's `[input]` says."""
        return self.model.preparation.prepare(image)

    def infer(self, batch: NDArray[Any]) -> NDArray[Any] | Inferred:
        """As the file's backend does."""
        return self.model.backend.infer(batch)

    def want(self) -> Want:
        """As the file's `[input]` says."""
        return self._want

    def warm_up_size(self) -> tuple[int, int]:
        """The model's own size: even `resize = "exact"` takes it."""
        return self.model.preparation.size


def load_predictor(source: ModelSource) -> LoadedPredictor:
    """Load a model with the limits of its source; raises what `Predictor.load` raises."""
    return LoadedPredictor(load_model(source), source.limits)
