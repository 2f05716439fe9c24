"""The predictor that the settings name; the one place for server, command line, worker processes and mounted apps."""

from cvserve.predictor.images.limits import Limits
from cvserve.predictor.loading import load_model
from cvserve.predictor.predictor import LoadedPredictor, Predictor
from cvserve.settings import Settings


def load_configured(settings: Settings) -> Predictor:
    """Load the model of the settings, with their limits on pictures.

    Raises:
        ModelLoadError: it cannot be loaded, or nobody vouched for it.
    """
    return load_parts(**settings.model_parts())


def limits_of(settings: Settings) -> Limits:
    """What a picture may be."""
    return Limits(max_pixels=settings.max_pixels, formats=settings.formats)


def load_parts(
    model: str | None,
    weights: str | None,
    config: str | None,
    sha256: str | None,
    trust_types: list[str],
    named_by_file: bool,
    max_pixels: int,
    formats: list[str],
    compile: str,  # noqa: A002 - the setting's name
) -> Predictor:
    """The same from plain data, as it is sent to another process: `Settings.model_parts()`.

    Raises:
        ModelLoadError: it cannot be loaded, or nobody vouched for it.
    """
    predictor = LoadedPredictor(
        load_model(
            model,
            weights=weights,
            config=config,
            sha256=sha256,
            trust_types=trust_types,
            named_by_file=named_by_file,
            compile=compile,
        )
    )
    predictor.limits = Limits(max_pixels=max_pixels, formats=tuple(formats))
    return predictor
