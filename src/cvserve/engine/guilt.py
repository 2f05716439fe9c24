"""Whether what a worker held can have been the reason that it was lost."""

from enum import Enum


class Guilt(Enum):
    """What the end of a worker says about the pictures that it held.

    Attributes:
        NONE: something else ended it: somebody stopped it, the fork server went, several were killed at once.
        POSSIBLE: it was killed, and nobody knows by whom. It counts against a picture that was alone in its worker.
        PROVEN: it crashed, left, hung or took all memory, which is what a picture can make a decoder or a model do.
    """

    NONE = 0
    POSSIBLE = 1
    PROVEN = 2
