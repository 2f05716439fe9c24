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
    """The picture was dropped before a worker took it: who had sent it waits no longer.

    It never leaves the server; its service turns it into `ClientGone`.
    """
