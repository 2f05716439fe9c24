"""What stands in a model's attributes beside estimators: numbers, texts, arrays; each in a form that harms nobody."""

import types
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy import sparse

from cvserve.predictor.backends.sklearn.checks.demands import require

SCALARS = (types.NoneType, bool, int, float, str, bytes, slice)
_CONTAINERS = (list, tuple, set, frozenset)
_DICTS = (dict, OrderedDict)
_ARRAY_KINDS = "biufcUSOVmM"
_SPARSE = (sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array)
# NumPy reads their states as they are; that of MT19937 is an index into its own memory, which is looked at.
_BIT_GENERATORS = (np.random.PCG64, np.random.PCG64DXSM, np.random.SFC64)
_MT19937_WORDS = 624


def is_value(item: Any) -> bool:
    """Whether `open_value` knows what to do with it; everything else is an object of some class."""
    kind = type(item)
    return (
        kind in (*SCALARS, *_CONTAINERS, *_DICTS, *_SPARSE)
        or kind in (np.ndarray, np.ma.MaskedArray, np.random.RandomState, np.random.Generator)
        or isinstance(item, (np.generic, np.dtype))
        or (isinstance(item, type) and (item in SCALARS or issubclass(item, np.generic)))
    )


def open_value(item: Any) -> Iterable[Any]:
    """What is in a value.

    Raises:
        Unsound: it has a form that library code would follow out of its memory.
    """
    kind: type = type(item)
    if kind in _DICTS:
        return list(item.values())
    if kind in _CONTAINERS:
        return list(item)
    if kind is np.ma.MaskedArray:
        return np.ma.getdata(item), np.ma.getmaskarray(item)
    if kind is np.ndarray:
        require(item.dtype.kind in _ARRAY_KINDS)
        if item.dtype == object:
            return list(item.ravel())
        require(not item.dtype.hasobject)
    elif kind in _SPARSE:
        _check_sparse(item)
    elif kind is np.random.RandomState:
        state = item.get_state(legacy=False)
        require(state["bit_generator"] == "MT19937" and 0 <= state["state"]["pos"] <= _MT19937_WORDS)
    elif kind is np.random.Generator:
        require(isinstance(item.bit_generator, _BIT_GENERATORS))
    return ()


def _check_sparse(matrix: Any) -> None:
    """SciPy's C++ follows each index. Its own full check passes a matrix whose last row ends at 0."""
    rows, columns = matrix.shape if matrix.format == "csr" else matrix.shape[::-1]
    ends, indices = matrix.indptr, matrix.indices
    require(matrix.dtype.kind in "biufc" and ends.dtype.kind == indices.dtype.kind == "i")
    require(matrix.data.ndim == 1 and matrix.data.shape == indices.shape and ends.shape == (rows + 1,))
    require(ends[0] == 0 and (np.diff(ends) >= 0).all() and ends[-1] <= len(indices))
    require((indices >= 0).all() and (indices < columns).all())
