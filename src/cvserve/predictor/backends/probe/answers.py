"""A backend that has answered about a few pictures, and what its answers showed."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from cvserve.predictor.backends.probe.consistency import check_consistency
from cvserve.predictor.backends.probe.score_kind import INDEPENDENT, is_independent, settle_kind
from cvserve.predictor.backends.probe.training_mode import watch_training
from cvserve.predictor.contract import Backend
from cvserve.predictor.models.resolve import ModelFacts, Origins


class Tried(NamedTuple):
    """A backend that has answered.

    Attributes:
        backend: to be used.
        kind: of its scores; None: not known yet.
        classes: for how many it gives scores.
        notes: what was found out, with its origin.
    """

    backend: Backend
    kind: str | None
    classes: int
    notes: Origins


def try_backend(
    backend: Backend, kind: str | None, classes: int, facts: ModelFacts, samples: Sequence[NDArray[Any]], own: Any
) -> Tried:
    """Ask a backend about pictures alone and together, and see from its answers what its scores are.

    Args:
        backend: has answered about a grey picture.
        kind: of its scores, as it says; None: not known.
        classes: how many it knows.
        facts: what the file says of itself.
        samples: pictures, prepared, each a batch of one.
        own: object of a user's class, which may hold a network in training mode; None: there is none.

    Raises:
        ModelFault: answers depend on chance, or on the batch in a way that cannot be mended; or it cannot be seen what
            its scores are.
    """
    # The class of weights is in evaluation mode whatever it was saved in.
    made_as = "torch class" if facts.format == "torch" and "class" in facts.extra else facts.format
    with watch_training() as watch:
        checked = check_consistency(
            backend, samples, made_as, lambda: watch.describe(own), half=facts.half, device=facts.device
        )
    notes: Origins = {} if checked.note is None else {"batch": (checked.note, "warm-up")}
    if len(checked.answers):
        settled = settle_kind(kind, checked.answers, checked.backend, samples[0])
        if settled is not None:
            notes["output.scores"] = (settled, "warm-up" if kind is None else "file")
        if is_independent(settled, checked.answers):
            notes["labels are"] = (INDEPENDENT, "warm-up")
        kind = settled
    elif kind is not None:
        notes["output.scores"] = (kind, "file")
    return Tried(checked.backend, kind, classes, notes)
