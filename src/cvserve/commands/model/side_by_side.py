"""A picture and what a model sees of it, next to each other."""

from PIL import Image, ImageOps

_HEIGHT_PX = 256
_GAP_PX = 8
_WIDEST = 4
_GROUND = (127, 127, 127)


def side_by_side(original: Image.Image, seen: Image.Image) -> Image.Image:
    """Both at one height, original left, on grey ground.

    What the model sees is enlarged by a whole number, so that each of its pixels stays one to count.

    Args:
        original: of any size.
        seen: of any size; one higher than 256 pixels keeps it.
    """
    times = max(1, _HEIGHT_PX // seen.height)
    right = seen.convert("RGB").resize((seen.width * times, seen.height * times), Image.Resampling.NEAREST)
    left = ImageOps.contain(original.convert("RGB"), (_WIDEST * right.height, right.height))
    both = Image.new("RGB", (left.width + _GAP_PX + right.width, right.height), _GROUND)
    both.paste(left, (0, (right.height - left.height) // 2))
    both.paste(right, (left.width + _GAP_PX, 0))
    return both
