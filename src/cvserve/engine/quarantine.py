"""Pictures that ended workers are refused for a while, known by their hash."""

import hashlib
import time

REFUSED_S = 600.0
_MAX_PICTURES = 1_024


class Quarantine:
    """Remembers which pictures are refused.

    A picture at which the decoder or the model crashes or hangs would cost workers each time that it is sent. The
    engine adds it when a second worker ends with it, or when one hangs that holds it alone; from then on it costs a
    hash. Only the SHA-256 of its encoded bytes is kept.

    Args:
        refused_s: seconds that a picture stays in.
    """

    def __init__(self, refused_s: float = REFUSED_S) -> None:
        self._refused_s = refused_s
        self._until: dict[bytes, float] = {}

    def add(self, data: bytes) -> None:
        """Refuse this picture from now on; the oldest makes room when there are too many."""
        if len(self._until) >= _MAX_PICTURES:
            del self._until[next(iter(self._until))]
        self._until[hashlib.sha256(data).digest()] = time.monotonic() + self._refused_s

    def refuses(self, data: bytes) -> bool:
        """Whether the picture is in; hashes nothing while it is empty."""
        if not self._until:
            return False
        digest = hashlib.sha256(data).digest()
        until = self._until.get(digest)
        if until is not None and until <= time.monotonic():
            del self._until[digest]
            return False
        return until is not None
