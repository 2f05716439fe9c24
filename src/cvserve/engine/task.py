"""What crosses between the callers and a worker: bytes and numbers in, plain numbers and texts out."""

from typing import NamedTuple

from cvserve.errors import CvserveError
from cvserve.predictor.prediction import Prediction


class Task(NamedTuple):
    """One picture to classify.

    Attributes:
        data: the encoded picture.
        top_k: length of `top`.
    """

    data: bytes
    top_k: int


Outcome = Prediction | CvserveError


class Abandoned(Exception):
    """Whoever asked has left before a worker took the picture; it was dropped."""
