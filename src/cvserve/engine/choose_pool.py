"""Which workers the settings ask for: processes, or threads of this process."""

from typing import TYPE_CHECKING

from cvserve.cores import usable_cores
from cvserve.engine.fork_server import ModelOrder
from cvserve.engine.process_pool import ProcessPool
from cvserve.engine.protocols import WorkerPool
from cvserve.predictor.source import ModelSource
from cvserve.settings import Settings

if TYPE_CHECKING:
    from cvserve.predictor.predictor import Predictor

_LOAD = "cvserve.engine.load_source:load_source"


def pool_for(settings: Settings, predictor: "Predictor | None" = None) -> WorkerPool:
    """The workers of a server; processes begin to load the model at once.

    Args:
        settings: `workers`, and the model.
        predictor: one that lives in this process, and so runs on threads of it; from now on it takes what the
            settings say a picture may be. Default: the settings' model.

    Raises:
        ModelLoadError: the model cannot be loaded in this process; for another one `wait_loaded` says it.
    """
    source = ModelSource.of(settings)
    if predictor is None and settings.workers != 0:
        order = ModelOrder(_LOAD, source.to_json())
        return ProcessPool(order, settings.workers or usable_cores(), settings.worker_memory, settings.workers or 1)
    # A front with worker processes never loads NumPy, Pillow and what comes with a model.
    from cvserve.engine.load_source import make_threads

    return make_threads(source, predictor, settings.workers)
