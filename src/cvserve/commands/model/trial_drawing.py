"""One trial on a terminal: what was sent beside what is seen, the scores as bars, the times."""

import numpy as np
from PIL import Image
from rich.table import Table
from rich.text import Text

from cvserve.commands.model.trial import Trial
from cvserve.commands.terminal.output import make_console
from cvserve.texts import replace_unprintable

_BAR_CELLS = 30
_DRAWING_PX = 32


def draw(name: str, trial: Trial) -> None:
    """On stdout; the pictures themselves only on a terminal."""
    console = make_console()
    answer, picture = trial.prediction, trial.prediction.image
    low, mean, high = trial.values
    table = Table.grid(padding=(0, 2))
    table.add_row(
        "model", Text(replace_unprintable(f"{answer.model.name} {answer.model.version} ({answer.model.format})"))
    )
    about = f"{name}: {picture.width} x {picture.height} {picture.format}, {picture.bytes:,} bytes"
    table.add_row("picture", Text(replace_unprintable(about), overflow="fold"))
    table.add_row("seen", Text(f"{trial.dtype} {list(trial.shape)}, {low:.4g} to {high:.4g}, mean {mean:.4g}"))
    if trial.saved is not None:
        table.add_row("saved", Text(replace_unprintable(str(trial.saved)), overflow="fold"))
    console.print(table)
    if console.is_terminal:
        both = Table.grid(padding=(0, 2))
        both.add_row(_half_blocks(trial.original), _half_blocks(trial.seen))
        console.print(both)
    console.print(_bars(trial))
    if answer.warning:
        console.print(Text(answer.warning, "yellow"))
    console.print(Text(", ".join(f"{step} {ms:.2f} ms" for step, ms in trial.steps_ms.items()), "dim"))


def _bars(trial: Trial) -> Table:
    table = Table.grid(padding=(0, 2))
    for entry in trial.prediction.top:
        cells = round(entry.score * _BAR_CELLS)
        bar = "█" * cells + "░" * (_BAR_CELLS - cells)
        table.add_row(Text(replace_unprintable(entry.label)), Text(bar, "blue"), f"{entry.score:.4f}")
    return table


def _half_blocks(picture: Image.Image) -> Text:
    """Two pixels a cell, one above the other; no more than 32 each way."""
    ratio = min(1.0, _DRAWING_PX / picture.width, _DRAWING_PX / picture.height)
    width, height = max(1, round(picture.width * ratio)), max(2, round(picture.height * ratio / 2) * 2)
    pixels = np.asarray(picture.convert("RGB").resize((width, height), Image.Resampling.BOX)).tolist()
    text = Text()
    for y in range(0, height, 2):
        for x in range(width):
            upper, lower = (",".join(map(str, row[x])) for row in pixels[y : y + 2])
            text.append("▀", f"rgb({upper}) on rgb({lower})")
        text.append("\n")
    return text
