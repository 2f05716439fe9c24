"""What a worker process runs to get its model: the way back from JSON to a predictor.

The front sends this module's name and the JSON, and never imports it: NumPy and Pillow come with it.
"""

from typing import Any

from cvserve.predictor.predictor import LoadedPredictor, load_predictor
from cvserve.predictor.source import ModelSource


def load_source(**document: Any) -> LoadedPredictor:
    """Load the model that the front asked for.

    Args:
        document: a source as `ModelSource.to_json` described it.

    Raises:
        ModelLoadError: it cannot be loaded, or nobody vouched for it.
    """
    return load_predictor(ModelSource.from_json(document))
