"""A picture's bytes as Pillow reads them, with an end to its patience."""

import io
import time

from cvserve.errors import InvalidImage


class DecoderInput(io.BytesIO):
    """The file that a decoder reads; it ends the decoder that works too long or reads the same again and again.

    Pillow asks for the next piece, 64 KiB at most, whenever it has worked through one: also in loops of its own, byte
    by byte. So the clock is looked at where the work is, by whatever thread does it, and no other picture suffers.

    Args:
        data: the encoded picture.
        max_decode_s: seconds of this thread's CPU time from now on.
    """

    # A decoder reads a file once, some parts twice; tables of a TIFF can name the same bytes thousands of times.
    _MAX_READS_OF_FILE = 8
    _ALWAYS_READ_BYTES = 1024**2

    def __init__(self, data: bytes, max_decode_s: float) -> None:
        super().__init__(data)
        self._max_decode_s = max_decode_s
        self._begin_s = time.thread_time()
        self._left_bytes = self._MAX_READS_OF_FILE * len(data) + self._ALWAYS_READ_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        """Read like any file, as long as there is time.

        Raises:
            InvalidImage: the picture takes too long.
        """
        data = super().read(size)
        self._left_bytes -= len(data)
        if self._left_bytes < 0 or time.thread_time() - self._begin_s > self._max_decode_s:
            raise InvalidImage(
                f"The picture takes more than {self._max_decode_s:g} s to decode; save it anew, or send a smaller one."
            )
        return data
