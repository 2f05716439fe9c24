"""From what a graph gives to the output that holds a score for each class."""

from typing import Any

from numpy.typing import NDArray

from cvserve.predictor.backends.onnx.input import Port, format_shape
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.outputs import TOP_K
from cvserve.texts import escape_unprintable, list_some

_FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)")
_WHOLE_NUMBERS = ("tensor(int64)", "tensor(int32)")
_MAX_SHOWN = 5


def find_scores(outputs: list[Port], top_k: frozenset[str]) -> list[Port]:
    """Outputs that may hold the scores: of floats, and of those the ones with a row a picture if there is one.

    Args:
        outputs: of the session.
        top_k: names of those that are the best of all scores, or their places.

    Raises:
        ModelFault: there is none.
    """
    floats = [entry for entry in outputs if entry.type in _FLOATS]
    whole = [entry for entry in floats if entry.name not in top_k]
    if floats and not whole:
        raise ModelFault(TOP_K)
    rows = [entry for entry in whole if len(entry.shape) == 2]
    if not whole:
        given = list_some([f"'{escape_unprintable(entry.name)}' {entry.type}" for entry in outputs], _MAX_SHOWN)
        raise ModelFault(
            f"gives {given}; a classifier gives an output of floats [batch, classes]: export it with that."
        )
    return rows if len(rows) == 1 else whole


def sizes_of(outputs: list[Port]) -> dict[str | int, list[int | None]]:
    """Sizes of outputs without the batch, None where one is free, by the outputs' names."""
    return {entry.name: [size if isinstance(size, int) else None for size in entry.shape[1:]] for entry in outputs}


def find_places(outputs: list[Port]) -> list[str]:
    """Names of outputs of whole numbers, which are the class of each picture, or the places of its best scores."""
    return [entry.name for entry in outputs if entry.type in _WHOLE_NUMBERS]


def check_places(places: list[NDArray[Any]], rows: int) -> None:
    """Refuse a graph whose whole numbers are more than the class of each picture: then its scores are sorted.

    Args:
        places: values of the outputs that `find_places` names.
        rows: pictures that they are for.

    Raises:
        ModelFault: there are more numbers than pictures.
    """
    if any(values.size > rows for values in places):
        raise ModelFault(TOP_K)


def flatten_scores(scores: NDArray[Any], rows: int) -> NDArray[Any]:
    """[N, C] from [N, C, 1, 1] and the like, which convolutions leave behind.

    Raises:
        ModelFault: it has more than one dimension of another size than 1: boxes, masks, and no score for each class.
    """
    sizes = [size for size in scores.shape[1:] if size != 1]
    if len(sizes) > 1:
        raise ModelFault(
            f"gives {format_shape((None, *scores.shape[1:]))} for pictures, and a classifier gives one score for each "
            "class, [batch, classes]; it may be one that detects or marks things."
        )
    return scores.reshape(rows, -1)
