"""Selects, among all that is drawn on a picture, the connected parts that are the digit."""

from __future__ import annotations

from cvserve.predictor.backends.builtin.components import MAX_PARTS, Board

# Parts that count at least this share of the winner belong to the digit too.
COMPANION_SHARE = 0.25


def choose_parts(board: Board, inked: int, strong: int) -> tuple[int, tuple[float, ...]]:
    """Choose the cells of the digit: the connected part with most ink, and what belongs to it.

    Args:
        board: the board that the two masks fit.
        inked: cells that hold ink, as a bit board.
        strong: cells that hold ink as dark as the pen's.

    Returns:
        The chosen cells as a bit board (0 for none), and five measures in 0..1.
    """
    parts = board.parts(inked)
    if not parts:
        return 0, ()
    frame = board.frame
    scores = [_score(part, strong, frame) for part in parts]
    best = max(scores)
    main = parts[scores.index(best)]
    chosen = main
    for part, score in zip(parts, scores, strict=True):
        if score >= COMPANION_SHARE * best and part & strong and not part & frame:
            chosen |= part
    left, top, right, bottom = board.box(chosen)
    total = board.width * board.height
    return chosen, (
        chosen.bit_count() / max((right - left) * (bottom - top), 1),
        (inked.bit_count() - chosen.bit_count()) / total,
        len(parts) / MAX_PARTS,
        max((right - left) / board.width, (bottom - top) / board.height),
        (chosen & frame).bit_count() / (board.width + board.height),
    )


def _score(part: int, strong: int, frame: int) -> float:
    """How much a part counts: its cells, strong ones most; less where much of it runs along the edge.

    Shadows, table tops and fingers come in from the edge and lie along it; a digit only touches it.
    """
    cells = part.bit_count()
    along = (part & frame).bit_count() / cells
    return ((part & strong).bit_count() + cells / 4) * max(1 - 3 * along, 0.1)
