"""PNG: what its chunks would cost, before Pillow reads one of them.

Pillow walks over the chunks in Python and unpacks each compressed one, also when it then throws it away. A file of
10 MB can so cost half a minute of a core without having a single pixel to show.
"""

from cvserve.errors import InvalidImage

_BEGIN = 8  # behind the signature
_FRAME_BYTES = 12  # of a chunk: length, kind, CRC
_PIXELS = frozenset({b"IDAT", b"fdAT", b"fcTL"})
_COMPRESSED = frozenset({b"zTXt", b"iTXt", b"iCCP"})
# A file of a camera or an editor has some ten chunks beside its pixels, and those in pieces of 8 KB.
_MAX_OTHERS = 1_000
_MAX_COMPRESSED = 64
_MAX_CHUNKS = 100_000


def check_chunks(data: bytes) -> None:
    """Refuse a PNG whose chunks (W3C PNG, chapter 5) are so many that reading them is the work.

    Args:
        data: the file. One that is damaged is left to the decoder, which finds the words.

    Raises:
        InvalidImage: there are too many chunks.
    """
    place, end = _BEGIN, len(data)
    count = others = compressed = 0
    while place + 8 <= end:
        kind = data[place + 4 : place + 8]
        if kind == b"IEND":
            return
        count += 1
        others += kind not in _PIXELS
        compressed += kind in _COMPRESSED
        if others > _MAX_OTHERS or compressed > _MAX_COMPRESSED or count > _MAX_CHUNKS:
            raise InvalidImage(
                f"The PNG has more than {_MAX_COMPRESSED} compressed texts and profiles, {_MAX_OTHERS:,} chunks beside "
                f"its pixels or {_MAX_CHUNKS:,} in all, which is too slow to decode; save it anew."
            )
        place += _FRAME_BYTES + int.from_bytes(data[place : place + 4], "big")
