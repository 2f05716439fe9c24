"""The fonts whose digits and letters are drawn for training and for the tests, split by family."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SHAPE_SIDE_PX = 160
"""Height of a rendered shape, before anything is done to it."""


@dataclass(frozen=True, slots=True)
class Family:
    """One Debian package of fonts: which of its files, and under which licence."""

    package: str
    licence: str
    files: str = ""
    """Only files whose name holds this text."""


HANDWRITTEN = {
    "train": (
        Family("fonts-comic-neue", "OFL-1.1"),
        Family("fonts-dancingscript", "OFL-1.1"),
        Family("fonts-kaushanscript", "OFL-1.1"),
        Family("fonts-klee", "OFL-1.1"),
        Family("fonts-kristi", "OFL-1.1"),
        Family("fonts-leckerli-one", "OFL-1.1"),
        Family("fonts-lobster", "OFL-1.1"),
        Family("fonts-lxgw-wenkai", "OFL-1.1"),
        Family("fonts-bwht", "OFL-1.1"),
        Family("fonts-bajaderka", "OFL-1.1"),
        Family("fonts-nanum-extra", "OFL-1.1", "Pen"),
        Family("fonts-nanum-extra", "OFL-1.1", "Brush"),
        Family("fonts-cherrybomb", "OFL-1.1"),
        Family("fonts-yusei-magic", "OFL-1.1"),
        Family("fonts-breip", "OFL-1.0"),
    ),
    "tune": (
        Family("fonts-aoyagi-soseki", "public domain"),
        Family("fonts-radisnoir", "OFL-1.1"),
        Family("fonts-havana", "OFL-1.1"),
    ),
    "test": (
        Family("fonts-dkg-handwriting", "OFL-1.1"),
        Family("fonts-humor-sans", "OFL-1.1"),
        Family("fonts-kiloji", "BSD-3-Clause"),
        Family("fonts-kouzan-mouhitsu", "public domain"),
        Family("fonts-seto", "OFL-1.1"),
        Family("fonts-smc-chilanka", "OFL-1.1"),
    ),
}

PRINTED = {
    "train": (
        Family("fonts-roboto-unhinted", "Apache-2.0"),
        Family("fonts-dejavu-core", "Bitstream Vera"),
        Family("fonts-dejavu-extra", "Bitstream Vera"),
        Family("fonts-cabin", "OFL-1.1"),
        Family("fonts-cmu", "OFL-1.1"),
        Family("fonts-inconsolata", "OFL-1.0"),
        Family("fonts-inter", "OFL-1.1"),
        Family("fonts-clear-sans", "Apache-2.0"),
        Family("fonts-go", "BSD-3-Clause"),
        Family("fonts-quicksand", "OFL-1.1"),
        Family("fonts-comfortaa", "OFL-1.1"),
        Family("fonts-dosis", "OFL-1.1"),
        Family("fonts-play", "OFL-1.1"),
        Family("fonts-manrope", "OFL-1.1"),
        Family("fonts-mononoki", "OFL-1.1"),
        Family("fonts-firacode", "OFL-1.1"),
        Family("fonts-averia-sans-gwf", "OFL-1.1"),
        Family("fonts-b612", "OFL-1.1"),
        Family("fonts-crosextra-caladea", "Apache-2.0"),
        Family("fonts-stix", "OFL-1.1", "STIX"),
        Family("fonts-vollkorn", "OFL-1.1"),
        Family("fonts-allerta", "OFL-1.1"),
        Family("fonts-tuffy", "public domain"),
        Family("fonts-karmilla", "OFL-1.1"),
    ),
    "tune": (
        Family("fonts-cantarell", "OFL-1.1"),
        Family("fonts-junicode", "OFL-1.1"),
        Family("fonts-courier-prime", "OFL-1.1"),
        Family("fonts-hack", "Expat AND Bitstream Vera"),
    ),
    "test": (
        Family("fonts-liberation", "OFL-1.1"),
        Family("fonts-lato", "OFL-1.1"),
        Family("fonts-open-sans", "Apache-2.0"),
        Family("fonts-ebgaramond", "OFL-1.1"),
        Family("fonts-jetbrains-mono", "OFL-1.1"),
        Family("fonts-crosextra-carlito", "OFL-1.1"),
        Family("fonts-quattrocento", "OFL-1.1"),
    ),
}


@cache
def files(family: Family) -> tuple[Path, ...]:
    """The font files of a family, in a fixed order; none where the package is not installed."""
    listed = subprocess.run(  # noqa: S603
        ["/usr/bin/dpkg", "-L", family.package], capture_output=True, text=True, check=False
    )
    paths = (Path(line) for line in listed.stdout.splitlines())
    fonts = (path for path in paths if path.suffix.lower() in (".ttf", ".otf", ".ttc"))
    return tuple(sorted(path for path in fonts if family.files in path.name and _usable(path)))


def _usable(path: Path) -> bool:
    """Fonts of symbols, outlines or maths alphabets have no ordinary digits."""
    odd = ("symbol", "math", "nonuni", "siz", "outline", "keyboard", "initial", "emoji", "integral", "var")
    return not any(word in path.name.lower() for word in odd) and glyph(str(path), "1") is not None


@cache
def missing_packages() -> tuple[str, ...]:
    """Debian packages that are named above and not installed."""
    named = {family for table in (HANDWRITTEN, PRINTED) for part in table.values() for family in part}
    return tuple(sorted({family.package for family in named if not files(family)}))


@cache
def glyph(path: str, character: str) -> NDArray[np.uint8] | None:
    """Draw one character, cropped to its ink, uint8 [H, W] with 255 for ink; None where the font lacks it."""
    font = ImageFont.truetype(path, SHAPE_SIDE_PX)
    if bytes(font.getmask(character)) == bytes(font.getmask("\uffff")):
        return None
    image = Image.new("L", (SHAPE_SIDE_PX * 3, SHAPE_SIDE_PX * 3))
    ImageDraw.Draw(image).text((SHAPE_SIDE_PX, SHAPE_SIDE_PX // 2), character, font=font, fill=255)
    box = image.getbbox()
    if box is None:
        return None
    return np.asarray(image.crop(box))


def random_glyph(families: tuple[Family, ...], character: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw one character in a random font; every family is equally likely, however many files it has."""
    while True:
        fonts = files(families[int(rng.integers(len(families)))])
        if not fonts:
            continue
        shape = glyph(str(fonts[int(rng.integers(len(fonts)))]), character)
        if shape is not None:
            return shape
