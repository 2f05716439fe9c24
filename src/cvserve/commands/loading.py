"""The model that the settings name, with a question on a terminal when nobody has vouched for it yet."""

from cvserve.errors import UntrustedModel
from cvserve.predictor.images.decode import lift_pillow_limit
from cvserve.predictor.predictor import Predictor, load_predictor
from cvserve.predictor.source import ModelSource
from cvserve.settings import Settings


def load_for_command(settings: Settings) -> Predictor:
    """The predictor, with the settings' limits on pictures.

    Raises:
        ModelLoadError: it cannot be loaded, or nobody vouches for it.
    """
    source = ModelSource.of(settings)
    try:
        predictor = load_predictor(source)
    except UntrustedModel:
        from cvserve.commands.model.app import ask_trust  # most models need no question

        if settings.model is None or not ask_trust(settings.model):
            raise
        predictor = load_predictor(source)
    lift_pillow_limit()
    return predictor
