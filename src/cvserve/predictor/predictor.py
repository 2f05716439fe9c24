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
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Self

from numpy.typing import NDArray
from PIL import Image

from cvserve.errors import CvserveError, InvalidParameter
from cvserve.predictor.backends.python.class_config import ConfiguredSteps
from cvserve.predictor.batch import Decoded, decode_batch, infer_batch, keep_sources, mark_unknown, model_error
from cvserve.predictor.contract import Inferred, LoadedModel, Prepared
from cvserve.predictor.images.decode import make_sample
from cvserve.predictor.images.limits import Limits, Want
from cvserve.predictor.loading import load_model
from cvserve.predictor.models.fault import about
from cvserve.predictor.prediction import ClassScore, Prediction
from cvserve.predictor.scores import rank_classes, to_probabilities
from cvserve.predictor.source import ModelSource
from cvserve.predictor.trial import limit_trials, run_trial

DEFAULT_TOP_K = 5
_BATCH = 64


class Predictor(ConfiguredSteps):
    """A classifier of pictures.

    Attributes:
        name: shown in answers and history; default: the class's name in lower case.
        labels: names of the classes; default: "0", "1", …
        scores: what `infer` gives: `probabilities`, `logits`, `sigmoid` or `labels`; default: seen at warm-up.
        unknown_below: an answer whose best score is less gets a warning, 0…1; default: none does.
        weights: file or folder that `setup` may read, as `--weights` named it; default: none.
        limits: pixels, frames and formats of the pictures.
        info: which model this is (name, version, format).
        guessed: what about it was neither said nor read from its file, such as `scale`.

    To make an object opens no file. The `model.toml` beside the module of a subclass, which overrides what the class
    says, is read when that is first asked for, at the latest by the first picture; if it is wrong, that raises.
    """

    guessed: tuple[str, ...] = ()
    _max_batch_size = _BATCH

    def __init__(self) -> None:  # without parameters: `[model] args` are those of a user-defined class
        self.limits = Limits()
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
        device: str = "auto",
        half: bool = False,
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
            weights: file for a class: the state dict of a PyTorch module, or a file or folder that the class reads.
            device: where it computes, as `--device` takes it: `auto` (CUDA where there is one), `cpu`, `cuda:1`, …
            half: compute in half precision: float16, on the CPU bfloat16.

        Raises:
            ModelLoadError: no such file or class, not a model, it does not fit its input or labels, or a mistake
                in the class.
            UntrustedModel: a pickle that nobody vouched for.
        """
        source = ModelSource(path, config=config, trust=trust, sha256=sha256, trust_types=tuple(trust_types))
        return load_predictor(replace(source, compile=compile, weights=weights, device=device, half=half))

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
        """Classify many pictures, 64 at a time, in order; the first that fails raises its error.

        Args:
            images: each a path, the encoded bytes, a PIL image or an array, as `predict` takes them.
            top_k: length of `top`, from 1; at most all classes are given.

        Raises:
            ImageError: a picture cannot be answered.
            ModelError: the model failed on one.
        """
        predictions = []
        todo = list(images)
        for start in range(0, len(todo), _BATCH):
            for outcome in self.predict_each(todo[start : start + _BATCH], top_k=top_k):
                if isinstance(outcome, CvserveError):
                    raise outcome
                predictions.append(outcome)
        return predictions

    def predict_each(
        self, images: Sequence[Any], *, top_k: int = DEFAULT_TOP_K, keep_source: bool = True
    ) -> list[Prediction | CvserveError]:
        """Classify one batch, in which a bad picture fails alone: an answer or an error for each, in order.

        This is the one way through the three steps; the library, the command line and the server take it. Whatever
        a model's own code raises in them is the cause of a `ModelError`, which stands in the place of the answer.

        Args:
            images: each a path, the encoded bytes, a PIL image or an array, as `predict` takes them.
            top_k: length of `top`, from 1; at most all classes are given.
            keep_source: whether each answer remembers its picture, for the notebook.

        Raises:
            InvalidParameter: `top_k` is no number from 1.
            Exception: what `ensure_set_up` raises, if nobody has called it before.
        """
        if not isinstance(top_k, int) or top_k < 1:
            raise InvalidParameter(f"top_k is {top_k}; give 1 or more.")
        self.ensure_set_up()
        try:
            want = self.want()
        except (Exception, SystemExit) as error:  # a class may have its own
            return [model_error("want", error) for _ in images]
        outcomes = self._infer_each(decode_batch(images, want, self.limits, self.preprocess), top_k=top_k)
        return keep_sources(outcomes, images) if keep_source else outcomes

    def _infer_each(self, entries: Sequence[Decoded | CvserveError], *, top_k: int) -> list[Prediction | CvserveError]:
        """The second half of `predict_each`: an answer for each picture that is decoded; an error stays as it is."""
        good = [entry for entry in entries if not isinstance(entry, CvserveError)]
        answers = iter(infer_batch(good, self.infer, lambda scores, rows: self._rank(scores, rows, top_k), self.info))
        outcomes = [entry if isinstance(entry, CvserveError) else next(answers) for entry in entries]
        return outcomes if self.unknown_below is None else mark_unknown(outcomes, self.unknown_below)

    def warm_up(self) -> Self:
        """Set up and run once on a grey picture, so that the first user does not wait for it.

        Raises:
            ModelError: the model cannot answer; better now than at the first request.
        """
        outcome = self.predict_each([make_sample(self.warm_up_size(), self.limits.formats[0])])[0]
        if isinstance(outcome, CvserveError):
            raise outcome
        return self

    def ensure_set_up(self) -> None:
        """Read `model.toml` and run `setup`, unless that was done; whatever answers calls it first.

        Raises:
            ModelLoadError: the `model.toml` of a class cannot be used.
            Exception: whatever `setup` raises.
        """
        if self._is_set_up:
            return
        with self._setup_lock:
            if not self._is_set_up:
                self._read_config()
                self.setup()
                self._is_set_up = True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.info.name} {self.info.version} ({self.info.format})>"

    def _rank(self, scores: Any, rows: int, top_k: int) -> list[tuple[ClassScore, ...]]:
        """Rank the classes of each picture; a first answer shows the labels and the kind of scores, if not known."""
        values, self.labels, self.scores = to_probabilities(scores, rows, self.labels, self.scores)
        return rank_classes(values, tuple(self.labels), top_k)


class LoadedPredictor(Predictor):
    """A model that came from a file, or the built-in one.

    Attributes:
        model: the file's parts: preparation, backend, labels, where each property came from.
    """

    def __init__(self, model: LoadedModel, source: ModelSource) -> None:
        super().__init__()
        self._trial_s, self.limits, self._max_batch_size = source.trial_s, source.limits, source.max_batch_size
        self.model = model
        self.info, self.name = model.info, model.info.name
        self.labels = model.labels
        self.scores = model.scores
        self.unknown_below = model.unknown_below
        self.guessed = model.guessed
        self._want = model.preparation.want()

    def preprocess(self, image: Image.Image) -> NDArray[Any] | Prepared:
        """The array of one picture, prepared as `[input]` says."""
        return self.model.preparation.prepare(image)

    def infer(self, batch: NDArray[Any]) -> NDArray[Any] | Inferred:
        """Scores [N, C] for a batch [N, …], by the backend of the file's format."""
        return self.model.backend.infer(batch)

    def want(self) -> Want:
        """What to ask of the decoder: the mode and the size that `[input]` needs."""
        return self._want

    def warm_up(self) -> Self:
        """Run once on a grey picture, in no more than the time that its source gives to the first answer."""
        with about(self.name), limit_trials(self._trial_s):
            return run_trial(super().warm_up)

    def warm_up_size(self) -> tuple[int, int]:
        """Width and height in pixels of the model's own input, which even `resize = "exact"` takes."""
        return self.model.preparation.size


def load_predictor(source: ModelSource) -> LoadedPredictor:
    """Load a model with the limits of its source; raises what `Predictor.load` raises."""
    return LoadedPredictor(load_model(source), source)
