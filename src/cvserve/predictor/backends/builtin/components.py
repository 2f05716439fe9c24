"""Finds the connected parts of a small mask with plain integers as bit boards.

A mask of a few hundred cells fits into one Python integer, where one shift moves all cells at once. Filling a
part that way costs microseconds and needs no image library.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

MAX_PARTS = 24


@dataclass(frozen=True)
class Board:
    """A mask as one integer: bit ``y * stride + x`` is the cell (x, y).

    The last column of every row is always empty, so that a shift by one never wraps into the next row.
    """

    width: int
    height: int

    @property
    def stride(self) -> int:
        """Bits per row: the width and one empty guard column."""
        return self.width + 1

    @cached_property
    def frame(self) -> int:
        """The cells along the four edges."""
        row = (1 << self.width) - 1
        sides = 1 | 1 << (self.width - 1)
        bits = row | row << (self.stride * (self.height - 1))
        for y in range(self.height):
            bits |= sides << (self.stride * y)
        return bits

    def pack(self, mask: NDArray[np.bool_]) -> int:
        """Make the integer of a mask, bool [height, width]."""
        padded = np.zeros((self.height, self.stride), dtype=np.bool_)
        padded[:, :-1] = mask
        return int.from_bytes(np.packbits(padded, bitorder="little").tobytes(), "little")

    def unpack(self, bits: int) -> NDArray[np.bool_]:
        """Make the mask, bool [height, width], of an integer; bits beyond the board are ignored."""
        count = self.height * self.stride
        bits &= (1 << count) - 1
        data = np.frombuffer(bits.to_bytes((count + 7) // 8, "little"), dtype=np.uint8)
        flat = np.unpackbits(data, count=count, bitorder="little")
        return flat.reshape(self.height, self.stride)[:, :-1].astype(np.bool_)

    def grow(self, bits: int) -> int:
        """Add the eight neighbours of every cell; the result may reach into guard columns."""
        bits |= bits << 1 | bits >> 1
        return bits | bits << self.stride | bits >> self.stride

    def parts(self, bits: int) -> list[int]:
        """Split into 8-connected parts, in reading order, at most ``MAX_PARTS``; lone cells are left out."""
        around = bits << 1 | bits >> 1
        around |= (bits | around) << self.stride | (bits | around) >> self.stride
        bits &= around
        found: list[int] = []
        while bits and len(found) < MAX_PARTS:
            part, grown = 0, bits & -bits
            while grown != part:
                part = grown
                grown = self.grow(part) & bits
            found.append(part)
            bits &= ~part
        return found

    def box(self, bits: int) -> tuple[int, int, int, int]:
        """Left, top, right, bottom (the last two exclusive) of a mask that is not empty."""
        top = ((bits & -bits).bit_length() - 1) // self.stride
        bottom = (bits.bit_length() - 1) // self.stride + 1
        columns, row = 0, (1 << self.width) - 1
        for y in range(top, bottom):
            columns |= bits >> (self.stride * y) & row
        return (columns & -columns).bit_length() - 1, top, columns.bit_length(), bottom
