"""A predictor from a `ModelSource`: in a worker process, and for threads of the front.

A front with worker processes sends this module's name with the source as JSON, and never imports it: NumPy and Pillow
come with it.
"""

from typing import Any

from cvserve.cores import usable_cores
from cvserve.devices import computes_beside
from cvserve.engine.thread_pool import ThreadPool
from cvserve.predictor.predictor import LoadedPredictor, Predictor, load_predictor
from cvserve.predictor.source import ModelSource


def load_source(**document: Any) -> LoadedPredictor:
    """Load the model that the front asked for; what a worker process runs first.

    Args:
        document: a source as `ModelSource.to_json` described it.

    Raises:
        ModelLoadError: it cannot be loaded, or nobody vouched for it.
    """
    return load_predictor(ModelSource.from_json(document))


def make_threads(source: ModelSource, predictor: Predictor | None, threads: int | None) -> ThreadPool:
    """Make workers that are threads of this process.

    Args:
        source: which model, and what a picture may be.
        predictor: one that is there already, in place of the model; from now on the source says what its pictures
            may be. None: the model is loaded.
        threads: how many; None or 0: one a core, on a device one.

    Raises:
        ModelLoadError: it cannot be loaded, or nobody vouched for it.
    """
    if predictor is None:
        predictor = load_predictor(source)
    else:
        predictor.limits = source.limits
    default = 1 if computes_beside(predictor.info.device) else usable_cores()
    return ThreadPool(predictor, threads or default)
