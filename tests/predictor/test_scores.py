"""From what a model gives to probabilities and the best classes."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cvserve.errors import ModelError
from cvserve.predictor.scores import looks_like_probabilities, rank_classes, soft_max, to_probabilities, validate_scores


@pytest.mark.parametrize(
    "scores",
    [
        None,
        "text",
        [[1, "a"]],
        [[1, 2], [3]],
        np.zeros((3, 2)),
        np.zeros((2, 3)),
        np.zeros(2),
        np.zeros((2, 0)),
        np.zeros((2, 2, 1)),
        [[np.nan, 1], [0, 1]],
        [[np.inf, 1], [0, 1]],
        5,
        object(),
    ],
)
def test_what_is_no_score_for_each_picture_is_an_error_of_the_model(scores: object) -> None:
    with pytest.raises(ModelError, match="The model answered"):
        validate_scores(scores, 2, 2)


def test_one_row_may_come_without_its_dimension() -> None:
    assert validate_scores([1, 2], 1, 2).shape == (1, 2)
    assert validate_scores([[1], [2]], 2, None).shape == (2, 1)


@pytest.mark.parametrize("rows", [[[1e4, -1e4, 0]], [[0, 0]], [[-1e300, 1e300]], [[5]]])
def test_soft_max_never_overflows_and_sums_to_one(rows: list[list[float]]) -> None:
    probabilities = soft_max(np.array(rows, dtype=float))
    assert np.isfinite(probabilities).all()
    assert probabilities.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize(
    ("rows", "are"),
    [
        ([[0.2, 0.8]], True),
        ([[0.2, 0.8], [1, 1]], False),
        ([[-0.1, 1.1]], False),
        ([[0.2001, 0.8]], True),
        ([[1.0]], True),
    ],
)
def test_probabilities_are_seen(rows: list[list[float]], are: bool) -> None:
    assert looks_like_probabilities(np.array(rows)) is are


@pytest.mark.parametrize(
    ("kind", "numbers", "first"),
    [
        ("probabilities", [[0.25], [0.0], [1.0]], [0.75, 1.0, 0.0]),
        ("logits", [[0.0], [800.0], [-800.0]], [0.5, 0.0, 1.0]),
    ],
)
@pytest.mark.parametrize("labels", [None, ("no", "yes")])
def test_one_number_is_the_second_class(
    kind: str, numbers: list[list[float]], first: list[float], labels: tuple[str, str] | None
) -> None:
    values, known, _ = to_probabilities(np.array(numbers), 3, labels, kind)
    assert values[:, 0].tolist() == first
    assert values.sum(axis=1) == pytest.approx(1)
    assert known == (labels or ("0", "1"))


@pytest.mark.parametrize("kind", [None, "labels"])
def test_one_number_says_nothing_by_itself(kind: str | None) -> None:
    with pytest.raises(ModelError, match="one number"):
        to_probabilities(np.array([[0.5]]), 1, None, kind)


def test_best_is_best_first_and_ties_go_by_index() -> None:
    (top,) = rank_classes(np.array([[0.25, 0.5, 0.25, 0.0]]), ("a", "b", "c", "d"), 3)
    assert [(entry.index, entry.label) for entry in top] == [(1, "b"), (0, "a"), (2, "c")]
    assert len(rank_classes(np.array([[0.1234567]]), ("a",), 99)[0]) == 1
    assert rank_classes(np.array([[0.1234567]]), ("a",), 1)[0][0].score == 0.123457


@pytest.mark.parametrize("classes", [2, 10, 64])
def test_a_row_alone_is_ranked_like_one_among_many(classes: int) -> None:
    random = np.random.default_rng(classes)
    # Few different scores, so that many are equal, and others that lie next to where six decimals round up or down.
    few = random.integers(0, 4, (40, classes)) / 4
    near = (random.integers(0, 10**6, (40, classes)) + 0.5) / 1e6
    labels = tuple(map(str, range(classes)))
    next_to = np.nextafter(near, random.choice([0, 1], near.shape))
    rows: list[NDArray[Any]] = [few, next_to, near]
    for values in rows:
        together = rank_classes(values, labels, 5)
        assert together == [rank_classes(row[None], labels, 5)[0] for row in values]


def test_label_as_long_as_a_novel_is_cut_for_answer_and_row_alike() -> None:
    ((entry,),) = rank_classes(np.array([[1.0]]), ("x" * 5_000,), 1)
    assert entry.label == "x" * 1_024


def test_several_labels_by_their_kind() -> None:
    logits = [[0.0, 2.0, -800.0], [800.0, 0.0, 1.0]]
    values, labels, kind = to_probabilities(logits, 2, None, "sigmoid")
    assert values == pytest.approx(np.array([[0.5, 0.8807971, 0], [1, 0.5, 0.7310586]]))
    assert (labels, kind) == (("0", "1", "2"), "sigmoid")
    pair, _, _ = to_probabilities([[2.0]], 1, ("no", "yes"), "sigmoid")
    assert pair == pytest.approx(np.array([[0.1192029, 0.8807971]]))
    as_they_are, _, _ = to_probabilities([[0.9, 0.8]], 1, None, "probabilities")
    assert as_they_are.tolist() == [[0.9, 0.8]]


def test_scores_that_may_be_of_two_kinds_are_not_taken_for_logits_in_silence() -> None:
    with pytest.warns(UserWarning, match="cannot be seen what they are, and soft-max is applied; say it in the class"):
        to_probabilities([[0.9, 0.8]], 1, None, None)
