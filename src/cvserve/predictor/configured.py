"""The predictor that the settings name; the one place for server, command line and mounted apps."""

from cvserve.predictor.images import Limits
from cvserve.predictor.predictor import Predictor
from cvserve.settings import Settings


def load_configured(settings: Settings) -> Predictor:
    """Load the model of the settings.

    Raises:
        ModelLoadError: it cannot be loaded, or nobody vouched for it.
    """
    return Predictor.load(
        settings.model,
        config=settings.model_config,
        sha256=settings.model_sha256,
        trust_types=settings.trust_type,
    )


def limits_of(settings: Settings) -> Limits:
    """What a picture may be."""
    return Limits(max_pixels=settings.max_pixels, formats=settings.formats)
