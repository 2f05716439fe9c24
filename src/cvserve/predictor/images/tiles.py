"""A large picture piece by piece, so that what is in between costs the memory of one piece and not of the picture.

For steps that look at each pixel alone. One that went over all 64 million pixels at once would hold two or three more
pictures of that size, and most of its time would go into getting that memory.
"""

from collections.abc import Callable, Iterator

from PIL import Image

TILE_PIXELS = 1024**2


def cut_boxes(size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Boxes (left, top, right, bottom) of at most `TILE_PIXELS` that cover a picture, row by row.

    Args:
        size: width and height in pixels. A picture that is small enough is one box.
    """
    width, height = size
    across = min(width, TILE_PIXELS)
    down = max(1, TILE_PIXELS // max(1, across))
    for top in range(0, height, down):
        for left in range(0, width, across):
            yield left, top, min(left + across, width), min(top + down, height)


def cut_tiles(image: Image.Image) -> Iterator[Image.Image]:
    """The pieces of a picture; a small picture is one piece, itself."""
    if image.width * image.height <= TILE_PIXELS:
        yield image
    else:
        yield from (image.crop(box) for box in cut_boxes(image.size))


def map_tiles(image: Image.Image, change: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Change a picture piece by piece.

    Args:
        image: loaded, of any size.
        change: gives a picture of the same size and, for every piece, the same mode. It must not look beyond the
            pixel that it changes.
    """
    if image.width * image.height <= TILE_PIXELS:
        return change(image)
    whole: Image.Image | None = None
    for box in cut_boxes(image.size):
        piece = change(image.crop(box))
        if whole is None:
            whole = Image.new(piece.mode, image.size)
        whole.paste(piece, box[:2])
    assert whole is not None  # a picture of so many pixels has a box
    return whole
