"""What the chunks of a body have around them (RFC 9112 section 7.1): sizes, extensions, line ends and trailers."""

from cvserve.server.transport.head import MAX_HEAD_BYTES, make_head_error


class Frames:
    """Limits them for one message, as nobody needs them: to the size of a head more than the body that they carry.

    Attributes:
        body_bytes: as many of the body have come.
    """

    __slots__ = ("_bodiless_bytes", "_bytes", "_trailer_bytes", "body_bytes")

    def __init__(self) -> None:
        self.body_bytes = self._bytes = self._bodiless_bytes = self._trailer_bytes = 0

    def are_fair(self, received_bytes: int, body_bytes: int) -> bool:
        """Count what was received at once, and tell whether its frames are within the limits.

        Args:
            received_bytes: all of it.
            body_bytes: what of it is body.
        """
        if received_bytes == body_bytes:
            return True
        self._bytes += received_bytes - body_bytes
        # In a row: one extension or trailer without an end, of which the parser keeps all.
        self._bodiless_bytes = 0 if body_bytes else self._bodiless_bytes + received_bytes
        return max(self._bytes - self.body_bytes, self._bodiless_bytes) <= MAX_HEAD_BYTES

    def count_trailer(self, size_bytes: int) -> None:
        """Count a trailer.

        Raises:
            HeadersTooLarge: all of them are larger than a head may be.
        """
        self._trailer_bytes += size_bytes
        if self._trailer_bytes > MAX_HEAD_BYTES:
            raise make_head_error()
