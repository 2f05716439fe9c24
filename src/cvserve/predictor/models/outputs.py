"""Which of several outputs of a model are its scores: taken where there is no doubt, else asked for."""

from collections.abc import Mapping, Sequence

from cvserve.predictor.models.fault import ModelFault
from cvserve.texts import escape_unprintable, list_some

_MAX_SHOWN = 5
# What is wrong with a model that sorts its scores.
TOP_K = (
    "gives only the best scores of a picture and their classes (top k), which stand for no class; leave that step out: "
    "cvserve sorts the scores itself."
)


class SeveralOutputs(ModelFault):
    """A model has several outputs, each of which could be its scores; `[output] use` says which.

    Args:
        outputs: sizes of each, without the batch, by its name or, where it has none, its index: `{"features": (8,)}`.
    """

    def __init__(self, outputs: Mapping[str | int, Sequence[int | None]]) -> None:
        self.outputs = dict(outputs)
        shown = [f"{_quote(key)} {_format(sizes)}" for key, sizes in self.outputs.items()]
        last = list(self.outputs)[-1]
        super().__init__(
            f"gives {list_some(shown, _MAX_SHOWN)}, and it cannot be seen which of them are the scores; write into its "
            f"model.toml which one, such as [output] use = {_quote_toml(last)}"
        )

    def find_fit(self, labels: Sequence[str] | None) -> str | int | None:
        """The only output with one value for each label; None when there are none or several, or no labels."""
        fits = [key for key, sizes in self.outputs.items() if labels and tuple(sizes) == (len(labels),)]
        return fits[0] if len(fits) == 1 else None


def missing_output(use: str | int, outputs: Mapping[str | int, Sequence[int | None]]) -> ModelFault:
    """The error for an output that `[output] use` names and that is not there.

    Args:
        use: as it was written.
        outputs: that there are, as `SeveralOutputs` takes them.
    """
    has = list_some([f"{_quote(key)} {_format(sizes)}" for key, sizes in outputs.items()], _MAX_SHOWN)
    return ModelFault(f"has no output {_quote(use)}, which [output] use in its model.toml names; it gives {has}.")


def _quote(key: str | int) -> str:
    return str(key) if isinstance(key, int) else f"'{escape_unprintable(key)}'"


def _quote_toml(key: str | int) -> str:
    return str(key) if isinstance(key, int) else f'"{escape_unprintable(key)}"'


def _format(sizes: Sequence[int | None]) -> str:
    return f"[{', '.join(['N', *('?' if size is None else str(size) for size in sizes)])}]"
