"""The model that the settings name, for commands that answer in their own process."""

from cvserve.commands.loading.ask_trust import ask_trust
from cvserve.errors import UntrustedModel
from cvserve.predictor.images.decode import lift_pillow_limit
from cvserve.predictor.predictor import LoadedPredictor, load_predictor
from cvserve.predictor.source import ModelSource
from cvserve.settings import Settings


def load_for_command(settings: Settings) -> LoadedPredictor:
    """Load the model; on a terminal, ask about each file in which code can hide and that nobody has vouched for.

    Raises:
        ModelLoadError: it cannot be loaded, or nobody vouches for it.
    """
    asked = set[str]()
    while True:  # the model, and the transform that its `model.toml` names
        try:
            return load_predictor_of(settings)
        except UntrustedModel as error:
            if not error.path or error.path in asked or not ask_trust(error.path):
                raise
            asked.add(error.path)


def load_predictor_of(settings: Settings) -> LoadedPredictor:
    """Load the model without asking anybody; what a picture may be is what the settings say, not Pillow's own limit.

    Raises:
        ModelLoadError: it cannot be loaded, or nobody vouches for it.
    """
    lift_pillow_limit()
    return load_predictor(ModelSource.of(settings))
