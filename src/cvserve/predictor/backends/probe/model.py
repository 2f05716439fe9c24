"""From the facts about a file to a model that has answered once: a backend is tried before anybody asks it.

What does not fit (its input, the number of classes, the kind of its scores) is found here, when the model is loaded,
with one sentence for each fault, and not by somebody's first request.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.errors import ModelError, ModelLoadError
from cvserve.predictor.backends.preparation import make_preparation
from cvserve.predictor.backends.probe.answers import Tried, try_backend
from cvserve.predictor.backends.probe.samples import prepare_samples
from cvserve.predictor.contract import Backend, LoadedModel, Preparation, Prepared, scores_of
from cvserve.predictor.models.config.read import ModelConfig
from cvserve.predictor.models.fault import ModelFault, about
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.identity import make_info
from cvserve.predictor.models.input_spec import InputSpec
from cvserve.predictor.models.outputs import SeveralOutputs
from cvserve.predictor.models.resolve import (
    Connect,
    ModelFacts,
    Origins,
    label_mismatch,
    resolve_labels,
    title_of,
)
from cvserve.predictor.scores import count_classes, to_rows
from cvserve.predictor.trial import run_trial

_GREY = 127


def make_model(facts: ModelFacts, config: ModelConfig, file: ModelFile) -> LoadedModel:
    """The model of a file, tried with a grey picture that `[input]` prepares.

    Args:
        facts: what the file says of itself.
        config: its `model.toml`, which overrides the file.
        file: for its name and hash.

    Raises:
        ModelLoadError: file and config contradict each other, the size of the pictures is known from neither, or the
            model fails on the picture.
    """
    with about(title_of(facts, file)):
        made = make_preparation(facts.input_facts, config, file)
    batch = prepare_grey(made.preparation)
    return assemble_model(facts, config, made.file, made.preparation, batch, made.origins)


def assemble_model(
    facts: ModelFacts,
    config: ModelConfig,
    file: ModelFile,
    preparation: Preparation,
    batch: NDArray[Any],
    origins: Origins,
    *,
    own: Any = None,
) -> LoadedModel:
    """Make the backend, try it, and put it together with a preparation that is there already.

    Args:
        facts: what the file says of itself.
        config: its `model.toml`, which overrides the file.
        file: for its name and hash.
        preparation: from a picture to an array.
        batch: one grey picture that it prepared.
        origins: where the values of the preparation came from, e.g. `{"input.mode": ("L", "file")}`.
        own: object of a user's class, in which a network is looked for that is in training mode.

    Raises:
        ModelLoadError: the labels contradict the file, or the model fails on the batch.
    """
    labels = resolve_labels(facts, config, file)
    with about(title_of(facts, file), config.file_name):
        try_output = partial(_try_output, facts, config.values.get("output.scores"), preparation, batch, own)
        tried, use = run_trial(partial(_choose_output, facts, config, labels, try_output))
        _compare_labels(labels, tried.classes, facts, config, file)
        unknown_below = config.values.get("output.unknown_below", facts.unknown_below)
        if tried.kind == "labels" and unknown_below is not None:
            raise ModelFault('has [output] unknown_below, but its scores are "labels", of which each is 1; remove it.')
    if "batch" in tried.notes:
        logging.getLogger("cvserve").warning("%s is asked %s", title_of(facts, file), tried.notes["batch"][0])
    info = make_info(facts, config, file, preparation)
    known = {"output.use": config.values.get("output.use", use), "output.unknown_below": unknown_below}
    found = _collect_origins(facts, config, {"name": info.name, "labels": labels}, origins | tried.notes, known)
    parts = (*file.parts, *facts.parts)
    return LoadedModel(info, preparation, tried.backend, labels, tried.kind, found, unknown_below, parts)


def _try_output(
    facts: ModelFacts, wanted: str | None, preparation: Preparation, batch: NDArray[Any], own: Any, connect: Connect
) -> Tried:
    """Make the backend of one output and try it; `wanted` is the kind of scores that `model.toml` says."""
    prepared_by = "[input] in its model.toml" if isinstance(preparation, InputSpec) else "its preprocess"
    backend, kind = connect(batch, wanted)
    classes = probe_backend(backend, batch, kind, facts, prepared_by)
    return try_backend(backend, kind, classes, facts, prepare_samples(preparation), own)


def _choose_output(
    facts: ModelFacts, config: ModelConfig, labels: Sequence[str] | None, try_output: Callable[[Connect], Tried]
) -> tuple[Tried, str | int | None]:
    """The output that is meant, tried, and what it is called where only the labels told it."""
    try:
        return try_output(_connect_of(facts, config)), None
    except SeveralOutputs as several:
        fit = several.find_fit(labels)
        if fit is None or facts.pick is None:
            raise
    return try_output(facts.pick(fit)), fit  # no other has one score for each label


def _collect_origins(
    facts: ModelFacts, config: ModelConfig, first: Mapping[str, Any], made: Origins, last: Mapping[str, Any]
) -> Origins:
    """All values in the order in which people see them, each with its origin; None is none."""
    found: Origins = {"name": (first["name"], "default")} | {key: (value, "file") for key, value in facts.extra.items()}
    if first["labels"] is not None:
        found["labels"] = (list(first["labels"]), "file")
    found |= made | {key: (value, "file") for key, value in last.items() if value is not None}
    if facts.half:
        found["half"] = (True, "settings")
    # What is said in `model.toml` was compared with what was found.
    return found | {key: (found[key][0], origin) for key, origin in config.origins.items() if key in found}


def _connect_of(facts: ModelFacts, config: ModelConfig) -> Connect:
    """How the backend is made, of the output that `[output] use` names."""
    use = config.values.get("output.use")
    if use is None:
        return facts.connect
    if facts.pick is None:
        raise ModelFault(f"has one output, and {config.file_name} has [output] use = {use!r}; remove use.")
    return facts.pick(use)


def prepare_grey(preparation: Preparation) -> NDArray[Any]:
    """A batch of one grey picture, as the model gets it."""
    mode = preparation.want().mode
    picture = Image.new(mode, preparation.size, (_GREY,) * len(mode))
    prepared = preparation.prepare(picture)
    array: NDArray[Any] = prepared.array if isinstance(prepared, Prepared) else prepared
    return array[None]


def probe_backend(backend: Backend, batch: NDArray[Any], kind: str | None, facts: ModelFacts, prepared_by: str) -> int:
    """Run a backend once and count the classes for which it gives scores.

    Args:
        backend: to be tried.
        batch: prepared pictures, [N, …].
        kind: of its scores, `probabilities`, `logits` or `labels`; None: not known.
        facts: its `describe_failure` finds the words for what the backend raises.
        prepared_by: what to check when the scores are no numbers, e.g. "its preprocess".

    Returns:
        The number of classes; 2 for a model that gives one number a picture, of a known kind.

    Raises:
        ModelFault: it fails, or what it gives are no scores of classes.
    """
    try:
        # Some answers fail only when NumPy takes them: a tensor that wants a gradient, say.
        values = to_rows(scores_of(backend.infer(batch)), len(batch), None)
        if facts.labels is not None and len(facts.labels) == 1 and (values == 1).all():
            return 1  # trained with one class only, of which it is always sure
        if np.isfinite(values).all():
            return count_classes(values, kind)
    except ModelLoadError:  # a sentence already
        raise
    except ModelError as error:
        raise ModelFault(f"cannot be served: {error}") from None
    except (Exception, SystemExit) as error:  # any model may fail in any way
        raise ModelFault((facts.describe_failure or describe_failure)(error, batch)) from None
    raise ModelFault(
        f"gives a grey picture a score that is not a finite number; check {prepared_by}, and the model itself."
    )


def describe_failure(error: BaseException | str, batch: NDArray[Any]) -> str:
    """Say that a model fails on a prepared picture: the second half of a sentence, for `ModelFault`.

    Args:
        error: what it raised, of which only the type is named, since its text may be anything; or the reason in
            words.
        batch: that it was given, [N, …].
    """
    reason = error if isinstance(error, str) else type(error).__name__
    given = f"{batch.dtype} {list(batch.shape)}"
    return f"fails on a grey picture as [input] in its model.toml prepares it, {given}: {reason}"


def _compare_labels(
    labels: Sequence[str] | None, classes: int, facts: ModelFacts, config: ModelConfig, file: ModelFile
) -> None:
    """Only an answer tells for how many classes there are scores."""
    if labels is None or len(labels) == classes:
        return
    if "labels" in config.values:
        raise label_mismatch(config, title_of(facts, file), classes)
    raise ModelFault(
        f"has {len(labels)} labels and gives {classes} scores; give it one label for each class, in the order of their "
        "indices."
    )
