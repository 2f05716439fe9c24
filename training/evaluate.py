"""Measures the committed model on held-out sources and writes the tables of ``docs/builtin-model.md``."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from composites import Truth
from cvserve.predictor.backends.builtin.digits import infer
from cvserve.predictor.backends.builtin.preparation import prepare
from dataset import digit_picture, raw_picture, upright
from newsprint import cells as newspaper_cells
from photos import blank, photo, photos
from scans import load_digits_scans, opencv_scans

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "builtin-model.md"
MODEL = ROOT / "src" / "cvserve" / "predictor" / "backends" / "builtin" / "digits.npz"
SEED = 2026
PER_KIND = 500
BLANKS = PHOTOS = 1000

KIND_NAMES = {
    "scan 20x20": "scans, OpenCV `digits.png`, 20x20 px (real)",
    "scan 8x8": "scans, `load_digits`, 8x8 px (real)",
    "newsprint": "cells of one photographed newspaper puzzle (real, too few to judge by)",
    "scan": "scanned sheet (composite)",
    "paper": "photo of paper with shadow (composite)",
    "chalk": "chalk on a board (composite)",
    "canvas": "drawing on a web canvas (composite)",
    "print": "printed digit (composite)",
    "tiny": "tiny picture, 8 to 48 px (composite)",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said to one picture, and what is true."""

    kind: str
    digit: int
    said: int
    score: float
    warned: bool
    truth: Truth

    @property
    def right(self) -> bool:
        """Whether the best class is the digit; a warning does not matter here."""
        return self.digit == self.said


def ask(image: Image.Image) -> tuple[int, float, bool]:
    """Run one picture through preparation and network: best class, its score, whether there was a warning."""
    features, warning = prepare(upright(image))
    scores, warnings = infer(features[None])
    best = int(scores[0].argmax())
    return best, float(scores[0, best]), (warning or warnings[0]) is not None


def digit_pictures(part: str, seed: int, per_kind: int) -> Iterator[tuple[str, Image.Image, int, Truth]]:
    """All pictures with a digit of one part: the real scans, then ``per_kind`` composites of every kind."""
    for number, (kind, scans) in enumerate((("scan 20x20", opencv_scans(part)), ("scan 8x8", load_digits_scans(part)))):
        rng = np.random.default_rng([seed, 100 + number])
        for scan, digit in scans:
            truth = Truth()
            yield kind, raw_picture(scan, rng, truth), digit, truth
    for cell, sign in newspaper_cells() if part == "test" else ():
        if sign != ".":
            yield "newsprint", cell, int(sign), Truth()
    for number, kind in enumerate(("scan", "paper", "chalk", "canvas", "print", "tiny")):
        rng = np.random.default_rng([seed, number])
        for _ in range(per_kind):
            image, digit, truth = digit_picture(part, kind, rng)
            yield kind, image, digit, truth


def table(title: str, rows: dict[str, list[Answer]]) -> list[str]:
    """One table of accuracy: a row per group."""
    lines = [f"| {title} | pictures | right | warned |", "|---|--:|--:|--:|"]
    for name, answers in rows.items():
        right = np.mean([answer.right for answer in answers])
        warned = np.mean([answer.warned for answer in answers])
        lines.append(f"| {name} | {len(answers)} | {right:.1%} | {warned:.1%} |")
    return [*lines, ""]


def grouped(answers: list[Answer], key: Callable[[Answer], str | None], order: list[str]) -> dict[str, list[Answer]]:
    """Answers by group, in the given order; those without a group are left out."""
    groups: dict[str, list[Answer]] = {name: [] for name in order}
    for answer in answers:
        name = key(answer)
        if name is not None:
            groups[name].append(answer)
    return {name: group for name, group in groups.items() if group}


def _size(answer: Answer) -> str | None:
    share = answer.truth.height_share
    if answer.kind not in ("paper", "chalk", "canvas", "scan", "print") or not share:
        return None
    return next(name for name, top in SIZES.items() if share < top)


SIZES = {"below 20 %": 0.2, "20 to 35 %": 0.35, "35 to 60 %": 0.6, "60 % and more": 9.0}


def _turn(answer: Answer) -> str | None:
    turned = abs(answer.truth.rotation_deg)
    if turned == 0:
        return "not turned by us"
    return "up to 5°" if turned < 5 else "5° to 10°" if turned < 10 else "10° to 15°"


def calibration_error(answers: list[Answer]) -> float:
    """Expected calibration error (Guo 2017) with ten equal bins of the best score."""
    scores = np.array([answer.score for answer in answers])
    right = np.array([answer.right for answer in answers])
    bins = np.minimum((scores * 10).astype(int), 9)
    gaps = [abs(scores[bins == n].mean() - right[bins == n].mean()) * (bins == n).mean() for n in set(bins)]
    return float(sum(gaps))


def warned_share(pictures: Iterator[Image.Image]) -> tuple[int, float]:
    """How many pictures there were, and the share with a warning."""
    warned = [ask(image)[2] for image in pictures]
    return len(warned), float(np.mean(warned))


def report(part: str, seed: int, per_kind: int) -> str:
    """All tables as Markdown."""
    answers = [
        Answer(kind, digit, *ask(image), truth) for kind, image, digit, truth in digit_pictures(part, seed, per_kind)
    ]
    kinds = grouped(answers, lambda answer: answer.kind, list(KIND_NAMES))
    lines = table("kind", {KIND_NAMES[kind]: group for kind, group in kinds.items()} | {"**all**": answers})
    pens = grouped(answers, lambda a: "light pen" if a.truth.light_pen else "dark pen", ["dark pen", "light pen"])
    lines += table("polarity", pens)
    lines += table("height of the digit in the picture", grouped(answers, _size, list(SIZES)))
    lines += table("turned", grouped(answers, _turn, ["not turned by us", "up to 5°", "5° to 10°", "10° to 15°"]))
    digits = grouped(answers, lambda answer: str(answer.digit), [str(digit) for digit in range(10)])
    lines += table("digit", digits)
    rng = np.random.default_rng([seed, 200])
    count, blanks = warned_share(blank(rng) for _ in range(BLANKS))
    paper, papers = warned_share(cell for cell, sign in newspaper_cells() if sign == ".")
    whole, wholes = warned_share(image.copy() for image in photos(part))
    crops, cropped = warned_share(photo(part, rng) for _ in range(PHOTOS))
    lines += [
        "| pictures without a digit | pictures | warned |",
        "|---|--:|--:|",
        f"| blank: colours, slopes of light, grain, noise | {count} | {blanks:.1%} |",
        f"| empty cells of the newspaper puzzle, rests of its lines in some | {paper} | {papers:.1%} |",
        f"| held-out photos, whole | {whole} | {wholes:.1%} |",
        f"| crops of held-out photos | {crops} | {cropped:.1%} |",
        "",
        f"Expected calibration error of the best score: {calibration_error(answers):.3f}.",
        f"SHA-256 of `digits.npz`: `{hashlib.sha256(MODEL.read_bytes()).hexdigest()}`",
        f"({MODEL.stat().st_size:,} bytes).",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the tables, or put them between the markers of the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("tune", "test"), default="test", help="which sources to measure on")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/builtin-model.md")
    options = parser.parse_args()
    text = report(options.part, SEED if options.part == "test" else SEED + 1, PER_KIND)
    print(text)
    if options.write:
        before, rest = PAGE.read_text().split("<!-- figures -->\n")
        after = rest.split("<!-- end of figures -->\n")[1]
        PAGE.write_text(f"{before}<!-- figures -->\n{text}<!-- end of figures -->\n{after}")


if __name__ == "__main__":
    main()
