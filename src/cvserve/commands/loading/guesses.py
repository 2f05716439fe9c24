"""What a user is told about guesses: which there are, and the command that shows what the model sees."""

import shlex
from collections.abc import Sequence

from cvserve.settings import Settings, flag
from cvserve.values import BUILTIN_MODEL

# Without these the model would be another one, see another picture, or not be loaded, so the command repeats them.
_REPEATED = ("weights", "model_config", "trust_type", "model_sha256")


def describe_guesses(guessed: Sequence[str], settings: Settings) -> str:
    """One line: `guessed: scale, resize – check with: cvserve model try model.onnx img.jpg`.

    Args:
        guessed: names of what neither the file nor its config says, e.g. `("scale",)`; at least one.
        settings: that name the model.
    """
    return f"guessed: {', '.join(guessed)} – check with: {try_command(settings)}"


def try_command(settings: Settings) -> str:
    """The command that shows what the model of the settings sees of a picture, as it is typed in a shell."""
    words = [settings.model or BUILTIN_MODEL]
    for name in _REPEATED:
        value = getattr(settings, name)
        if value:
            words += [flag(name), ",".join(value) if isinstance(value, tuple) else str(value)]
    return shlex.join(["cvserve", "model", "try", *words, "img.jpg"])
