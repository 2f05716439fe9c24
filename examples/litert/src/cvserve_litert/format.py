"""The format, and the plugin that reads it: what a file says of its pictures and its scores."""

from typing import Any

from numpy.typing import NDArray

from cvserve.backends import Backend, BackendPlugin, Kind, ModelFacts, ModelFile, ModelLoadError
from cvserve_litert.labels import read_labels
from cvserve_litert.tensor import Tensor

# A FlatBuffer has four letters behind its first number.
_MARK = b"TFL3"
_TYPES = ("float32", "uint8", "int8")
# LiteRT computes in C++ what a file says. A damaged one can crash it, so a forged one may do more: it needs trust.
_KIND = Kind("tflite", "a LiteRT model", (".tflite",), hides_code=True)


def recognises(data: bytes) -> bool:
    """Whether these bytes are a LiteRT model."""
    return data[4:8] == _MARK


def load(file: ModelFile) -> ModelFacts:
    """The model, and what its file says about the pictures that it takes.

    Raises:
        ModelLoadError: LiteRT cannot run it, or it is no classifier of pictures.
    """
    from cvserve_litert.backend import LiteRTBackend  # LiteRT takes a while; nobody with another model waits for it

    try:
        backend = LiteRTBackend(file.data)
    except (ValueError, RuntimeError) as error:
        raise ModelLoadError(f"LiteRT cannot run '{file.path.name}': {error}; export it again.") from None
    taken, given = backend.taken, backend.given
    if taken.dtype not in _TYPES or given.dtype not in _TYPES:
        raise ModelLoadError(
            f"'{file.path.name}' takes {taken.dtype} and gives {given.dtype}; export it with float32, uint8 or int8."
        )

    def connect(_probe: NDArray[Any], wanted: str | None) -> tuple[Backend, str | None]:
        return backend, wanted or _kind_of_scores(given)

    classes = given.shape[-1] if given.shape else None
    return ModelFacts(
        format=_KIND.key,
        connect=connect,
        labels=read_labels(file.data, classes) if classes else None,
        input={**_shape_of(taken, file), "dtype": "float32"},
        suggested=taken.pixels() if taken.step else {},
        extra={"takes": taken.dtype, "gives": given.dtype},
    )


def _shape_of(taken: Tensor, file: ModelFile) -> dict[str, Any]:
    """Size, mode and layout of the pictures."""
    if len(taken.shape) == 2:
        return {"layout": "flat"}
    if len(taken.shape) != 4 or taken.shape[3] not in (1, 3):
        raise ModelLoadError(
            f"'{file.path.name}' takes arrays of shape {list(taken.shape)}; pictures are given as "
            "[batch, height, width, channels], with 1 or 3 channels."
        )
    _, height, width, channels = taken.shape
    said: dict[str, Any] = {"layout": "NHWC"}
    if channels == 1:
        said["mode"] = "L"
    if height and width:
        said["size"] = (width, height)
    return said


def _kind_of_scores(given: Tensor) -> str | None:
    """The kind of quantised scores: a soft-max has steps of 1/256, by the specification; None: seen from them."""
    return "probabilities" if given.step == 1 / 256 else None


plugin = BackendPlugin(_KIND, recognises, load)
