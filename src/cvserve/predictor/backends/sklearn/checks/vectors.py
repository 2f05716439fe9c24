"""Support vector machines: libsvm is given pointers, and believes what the arrays say of each other's lengths."""

from typing import Any

import numpy as np

from cvserve.predictor.backends.sklearn.checks.demands import (
    require,
    require_array,
    require_classes,
    require_integer,
    require_known,
)

_KERNELS = ("linear", "poly", "rbf", "sigmoid")


def check_support_vectors(part: Any) -> None:
    """Check an `SVC` or a `NuSVC`.

    Raises:
        Unsound: its arrays contradict each other.
        Unchecked: it was trained with sparse rows or has a kernel of its own.
    """
    require_known(not part._sparse, "trained with sparse rows")
    require_known(type(part.kernel) is str and part.kernel in _KERNELS, "with a kernel of its own")
    n_classes = require_classes(part)
    require(n_classes > 1)
    vectors = require_array(part.support_vectors_, np.float64, (None, require_integer(part.n_features_in_, 1)))
    n_vectors = len(vectors)
    counts = require_array(part._n_support, np.int32, (n_classes,))
    require((counts >= 0).all() and counts.sum(dtype=np.int64) == n_vectors > 0)
    pairs = n_classes * (n_classes - 1) // 2
    require_array(part.support_, np.int32, (n_vectors,))
    require_array(part._dual_coef_, np.float64, (n_classes - 1, n_vectors))
    require_array(part._intercept_, np.float64, (pairs,))
    # Both are there, or none: without probability=True they are empty.
    sizes = {require_array(part._probA, np.float64, (None,)).size, require_array(part._probB, np.float64, (None,)).size}
    require(sizes in ({0}, {pairs}))
