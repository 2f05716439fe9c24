"""Models that look for the nearest of many rows: compiled code takes labels and distances by numbers it computes."""

from typing import Any

import numpy as np

from cvserve.predictor.backends.sklearn.checks.demands import (
    Shape,
    require,
    require_array,
    require_classes,
    require_integer,
    require_known,
)

_FLOATS = (np.float32, np.float64)
_NUMBERS = (*_FLOATS, np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)
_METRICS = (
    *("braycurtis", "canberra", "chebyshev", "cityblock", "correlation", "cosine", "euclidean", "hamming"),
    *("l1", "l2", "manhattan", "minkowski", "sqeuclidean"),
)
_MAX_THREADS = 4096


def check_neighbours(part: Any) -> None:
    """Check a `KNeighborsClassifier`.

    Raises:
        Unsound: a label is no class, or rows, labels and neighbours are of different numbers.
        Unchecked: it has sparse rows or a metric of its own.
    """
    require_known(isinstance(part._fit_X, np.ndarray), "with sparse rows")
    rows = require_array(part._fit_X, _NUMBERS, _rows_of(part))
    for metric in (part.metric, part.effective_metric_):
        require_known(type(metric) is str and metric in _METRICS, "with a metric of its own")
    parameters = {*(part.metric_params or {}), *(part.effective_metric_params_ or {})}
    require_known(parameters <= {"p"}, "with a metric of its own")
    require_known(part.weights in ("uniform", "distance"), "with weights of its own")
    require(part.outputs_2d_ is False)
    labels = require_array(part._y, (np.int64, np.int32), (len(rows),))
    require(labels.min() >= 0 and labels.max() < require_classes(part))
    require(require_integer(part.n_samples_fit_, 1) == len(rows))
    require_integer(part.n_neighbors, 1, len(rows))


def check_centroids(part: Any) -> None:
    """Check a `NearestCentroid`.

    Raises:
        Unsound: not one centroid a class, as long as a picture.
        Unchecked: it has a metric of its own.
    """
    require_known(type(part.metric) is str and part.metric in _METRICS, "with a metric of its own")
    centroids = require_array(part.centroids_, _FLOATS, _rows_of(part))
    require(len(centroids) == require_classes(part))


def check_clusters(part: Any) -> None:
    """Check a `KMeans`.

    Raises:
        Unsound: its centres are not as long as a picture, or it wants a senseless number of threads.
    """
    require(len(require_array(part.cluster_centers_, _FLOATS, _rows_of(part))) > 0)
    require_integer(part._n_threads, 1, _MAX_THREADS)


def _rows_of(part: Any) -> Shape:
    return None, require_integer(part.n_features_in_, 1)
