"""Pictures that ended workers are refused for a while, known by their hash."""

import hashlib
import time
from enum import Enum

REFUSED_S = 600.0
_MAX_PICTURES = 1_024


class Deed(Enum):
    """What a picture has done to workers: ended them, or kept one busy for too long."""

    ENDED = "ended"
    HUNG = "hung"


class Quarantine:
    """Remembers which pictures are refused.

    A picture at which the decoder or the model crashes or hangs would cost workers each time that it is sent. Who adds
    it, and when, is in `suspects.py`; from then on it costs a hash. Only the SHA-256 of its encoded bytes is kept.

    Args:
        refused_s: seconds that a picture stays in.
    """

    def __init__(self, refused_s: float = REFUSED_S) -> None:
        self._refused_s = refused_s
        self._known: dict[bytes, tuple[float, Deed]] = {}

    def add(self, data: bytes, deed: Deed) -> None:
        """Refuse this picture from now on; the oldest makes room when there are too many."""
        if len(self._known) >= _MAX_PICTURES:
            del self._known[next(iter(self._known))]
        self._known[hashlib.sha256(data).digest()] = time.monotonic() + self._refused_s, deed

    def find(self, data: bytes) -> Deed | None:
        """What the picture has done, if it is in; hashes nothing while nobody is."""
        if not self._known:
            return None
        digest = hashlib.sha256(data).digest()
        until, deed = self._known.get(digest, (0.0, None))
        if deed is not None and until <= time.monotonic():
            del self._known[digest]
            return None
        return deed
