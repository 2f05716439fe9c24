"""Models of every kind that a `.skops` file may hold without trust, and changes that a forger would make to them."""

import copy
import io
import json
import random
import warnings
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import skops.io
from numpy.typing import NDArray
from sklearn import (
    calibration,
    cluster,
    decomposition,
    discriminant_analysis,
    dummy,
    ensemble,
    feature_selection,
    gaussian_process,
    kernel_approximation,
    linear_model,
    model_selection,
    multiclass,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    random_projection,
    semi_supervised,
    svm,
    tree,
)
from sklearn._loss.loss import HalfMultinomialLoss
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits

from cvserve.predictor.backends.sklearn.parts import parts

_ROWS = 120
_BAYES = naive_bayes.GaussianNB(var_smoothing=0.1)
_SMALL_TREE = tree.DecisionTreeClassifier(max_depth=3, random_state=0)
_LOGISTIC = linear_model.LogisticRegression(max_iter=200)
# Before a classifier, a tree, since it is compiled and believes what it is told.
_TRANSFORMERS: dict[str, Callable[[], Any]] = {
    "scaler": preprocessing.StandardScaler,
    "minmax": preprocessing.MinMaxScaler,
    "maxabs": preprocessing.MaxAbsScaler,
    "robust": preprocessing.RobustScaler,
    "power": preprocessing.PowerTransformer,
    "quantile": lambda: preprocessing.QuantileTransformer(n_quantiles=20),
    "normalizer": preprocessing.Normalizer,
    "binarizer": preprocessing.Binarizer,
    "polynomial": lambda: pipeline.make_pipeline(decomposition.PCA(4), preprocessing.PolynomialFeatures()),
    "function": lambda: preprocessing.FunctionTransformer(np.sqrt),
    "pca": lambda: decomposition.PCA(8),
    "incremental": lambda: decomposition.IncrementalPCA(8),
    "truncated": lambda: decomposition.TruncatedSVD(8),
    "ica": lambda: decomposition.FastICA(4, max_iter=50),
    "factors": lambda: decomposition.FactorAnalysis(4, max_iter=20),
    "kernel-pca": lambda: decomposition.KernelPCA(4, kernel="rbf"),
    "nystroem": lambda: kernel_approximation.Nystroem(n_components=10),
    "rbf-sampler": lambda: kernel_approximation.RBFSampler(n_components=10),
    "count-sketch": lambda: kernel_approximation.PolynomialCountSketch(n_components=10),
    "gaussian-projection": lambda: random_projection.GaussianRandomProjection(8),
    "sparse-projection": lambda: random_projection.SparseRandomProjection(8),
    "variance": feature_selection.VarianceThreshold,
    "k-best": lambda: feature_selection.SelectKBest(k=20),
    "from-model": lambda: feature_selection.SelectFromModel(_SMALL_TREE),
    "rfe": lambda: feature_selection.RFE(_SMALL_TREE, n_features_to_select=10, step=10),
    "union": lambda: pipeline.make_union(decomposition.PCA(4), preprocessing.StandardScaler()),
    "columns": lambda: ColumnTransformer([("a", preprocessing.StandardScaler(), [0, 1, 2]), ("b", "drop", [4])]),
    "clusters": lambda: cluster.KMeans(4, n_init=1),
    "mini-clusters": lambda: cluster.MiniBatchKMeans(4, n_init=1),
    "boltzmann": lambda: neural_network.BernoulliRBM(8, n_iter=1),
    "components": lambda: neighbors.NeighborhoodComponentsAnalysis(4, max_iter=3),
}
_CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "tree": lambda: tree.DecisionTreeClassifier(max_depth=5),
    "extra-tree": lambda: tree.ExtraTreeClassifier(max_depth=5),
    "forest": lambda: ensemble.RandomForestClassifier(4, max_depth=4),
    "extra-forest": lambda: ensemble.ExtraTreesClassifier(4, max_depth=4),
    "boosting": lambda: ensemble.GradientBoostingClassifier(n_estimators=3, max_depth=2),
    "boosting-zero": lambda: ensemble.GradientBoostingClassifier(n_estimators=3, max_depth=2, init="zero"),
    "histogram": lambda: ensemble.HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=5),
    "svc": svm.SVC,
    "svc-poly": lambda: svm.SVC(kernel="poly", break_ties=True),
    "nu-svc": lambda: svm.NuSVC(nu=0.1),
    "linear-svc": svm.LinearSVC,
    "neighbours": lambda: neighbors.KNeighborsClassifier(3),
    "neighbours-manhattan": lambda: neighbors.KNeighborsClassifier(3, metric="manhattan"),
    "neighbours-distance": lambda: neighbors.KNeighborsClassifier(3, weights="distance", metric="cosine"),
    "centroid": neighbors.NearestCentroid,
    "logistic": lambda: copy.deepcopy(_LOGISTIC),
    "ridge": linear_model.RidgeClassifier,
    "sgd": lambda: linear_model.SGDClassifier(loss="modified_huber"),
    "perceptron": linear_model.Perceptron,
    "sparse-logistic": lambda: copy.deepcopy(_LOGISTIC),
    "lda": lambda: discriminant_analysis.LinearDiscriminantAnalysis(solver="svd"),
    "qda": lambda: pipeline.make_pipeline(decomposition.PCA(5), discriminant_analysis.QuadraticDiscriminantAnalysis()),
    "gaussian-bayes": lambda: copy.deepcopy(_BAYES),
    "bernoulli-bayes": naive_bayes.BernoulliNB,
    "multinomial-bayes": naive_bayes.MultinomialNB,
    "categorical-bayes": lambda: naive_bayes.CategoricalNB(min_categories=300),
    "network": lambda: neural_network.MLPClassifier((6,), max_iter=20),
    "gaussian-process": lambda: gaussian_process.GaussianProcessClassifier(max_iter_predict=5),
    "dummy": lambda: dummy.DummyClassifier(strategy="prior", random_state=np.random.RandomState(0)),
    "ada": lambda: ensemble.AdaBoostClassifier(n_estimators=3),
    "bagging": lambda: ensemble.BaggingClassifier(n_estimators=3, max_features=0.5),
    "voting": lambda: ensemble.VotingClassifier([("a", _SMALL_TREE), ("b", svm.SVC())]),
    "stacking": lambda: ensemble.StackingClassifier([("a", _SMALL_TREE), ("b", svm.SVC())], _LOGISTIC, cv=2),
    "calibrated": lambda: calibration.CalibratedClassifierCV(_SMALL_TREE, cv=2),
    "isotonic": lambda: calibration.CalibratedClassifierCV(_BAYES, cv=2, method="isotonic"),
    "search": lambda: model_selection.GridSearchCV(svm.SVC(), {"C": [1, 2]}, cv=2),
    "one-vs-rest": lambda: multiclass.OneVsRestClassifier(svm.SVC()),
    "one-vs-one": lambda: multiclass.OneVsOneClassifier(svm.LinearSVC()),
    "output-code": lambda: multiclass.OutputCodeClassifier(svm.LinearSVC(), code_size=2),
    "self-training": lambda: semi_supervised.SelfTrainingClassifier(_LOGISTIC),
    "frozen-forest": lambda: pipeline.make_pipeline(
        preprocessing.StandardScaler(), ensemble.RandomForestClassifier(3, max_depth=4)
    ),
}
KINDS = sorted({*_CLASSIFIERS, *(f"{name}+forest" for name in _TRANSFORMERS)})
CLASSES = (2, 3, 5)
_WORDS = (
    "fit",
    "fit_transform",
    "score",
    "predict",
    "auto",
    "cache",
    "named_steps.model.fit",
    None,
    0,
    -1,
    10**9,
    True,
)
_CALLED: tuple[Any, ...] = (
    *(np.sqrt, np.add, feature_selection.f_classif, feature_selection.mutual_info_classif, pipeline.Pipeline),
    *(gaussian_process.kernels.RBF(), HalfMultinomialLoss(n_classes=3)),
)


@cache
def fitted(kind: str, n_classes: int) -> Any:
    """A model of the kind, trained on pictures of 8 by 8 pixels."""
    rows, numbers = load_digits(n_class=n_classes, return_X_y=True)
    rows, numbers = rows[:_ROWS].astype(np.float32) + 1, numbers[:_ROWS]
    name, _, ends_in_forest = kind.partition("+")
    model = _CLASSIFIERS[name]() if not ends_in_forest else None
    if model is None:
        # Different trees for different numbers of features, so that pieces can be swapped.
        model = pipeline.make_pipeline(_TRANSFORMERS[name](), ensemble.RandomForestClassifier(3, max_depth=4))
    np.random.seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(rows, numbers)
    return model.sparsify() if kind == "sparse-logistic" else model


@cache
def dumped(kind: str, n_classes: int) -> bytes:
    """The model as a `.skops` file."""
    data: bytes = skops.io.dumps(fitted(kind, n_classes))
    return data


def forge(kind: str, seed: int) -> bytes:
    """A `.skops` file of the kind in which one to three things were changed; the same for the same seed."""
    chance = random.Random(seed)
    n_classes = chance.choice(CLASSES)
    way = chance.random()
    if way < 0.4:
        return (_swap if way < 0.25 else _set_parameters)(kind, n_classes, chance)
    data = dumped(kind, n_classes)
    for _ in range(chance.choice((1, 1, 2, 3))):
        data = (_change_array if chance.random() < 0.75 else _change_number)(data, chance)
    return data


def _swap(kind: str, n_classes: int, chance: random.Random) -> bytes:
    """An attribute of one part is that of the same, or of any, part of another model."""
    model = copy.deepcopy(fitted(kind, n_classes))
    other_kind = kind if chance.random() < 0.6 else chance.choice(KINDS)
    other = fitted(other_kind, chance.choice(CLASSES))
    targets = [part for part in parts(model) if _vars_of(part)]
    sources = [part for part in parts(other) if _vars_of(part)]
    for _ in range(chance.choice((1, 2, 4))):
        target = chance.choice(targets)
        alike = [part for part in sources if type(part) is type(target)] or sources
        source = chance.choice(alike)
        key = chance.choice(sorted(_vars_of(target)))
        value = _vars_of(source).get(key)
        if value is None:
            value = chance.choice([*_vars_of(source).values()])
        target.__dict__[key] = value
    return _dump(model, kind, n_classes)


def _set_parameters(kind: str, n_classes: int, chance: random.Random) -> bytes:
    """Parameters that name methods, files and functions, also of what answers with nothing but parameters."""
    model = copy.deepcopy(fitted(kind, n_classes))
    if chance.random() < 0.3:
        model = _wrap(model, chance)
    arrays = [value for part in parts(model) for value in _vars_of(part).values() if isinstance(value, np.ndarray)]
    for _ in range(chance.choice((1, 2, 4))):
        part = chance.choice([part for part in parts(model) if _vars_of(part)])
        names = part.get_params(deep=False) if hasattr(part, "get_params") else _vars_of(part)
        key = chance.choice(sorted(names) or sorted(_vars_of(part)))
        part.__dict__[key] = chance.choice([*_WORDS, *_CALLED, {"out": chance.choice(arrays or [None])}])
        if key == "func" and chance.random() < 0.5:
            part.__dict__["kw_args"] = {"out": chance.choice(arrays or [None])}
    return _dump(model, kind, n_classes)


def _wrap(model: Any, chance: random.Random) -> Any:
    """An estimator that needs no training around one that has it; its folder of pickles beside the file."""
    inner = pipeline.Pipeline([("scaler", preprocessing.StandardScaler()), ("model", model)], memory="cache")
    inner.steps[0][1].fit(np.eye(64))
    if chance.random() < 0.5:
        return model_selection.FixedThresholdClassifier(inner, response_method=chance.choice(_WORDS), pos_label=1)
    selection = feature_selection.SelectFromModel(inner, prefit=True, importance_getter=chance.choice(_WORDS))
    return pipeline.Pipeline([("selection", selection), ("model", model)])


def _dump(model: Any, kind: str, n_classes: int) -> bytes:
    try:
        data: bytes = skops.io.dumps(model)
    except Exception:  # what skops cannot write, a forger would write by hand; the other changes do
        return dumped(kind, n_classes)
    return data


def _vars_of(part: Any) -> dict[str, Any]:
    own: dict[str, Any] = getattr(part, "__dict__", {})
    return own


def _change_array(data: bytes, chance: random.Random) -> bytes:
    members = _read(data)
    names = [name for name in sorted(members) if name.endswith(".npy")]
    sparse = [name for name in sorted(members) if name.endswith(".npz")]
    if sparse and (not names or chance.random() < 0.5):
        name = chance.choice(sparse)
        inner = dict(np.load(io.BytesIO(members[name])))
        key = chance.choice(sorted({*inner} & {"data", "indices", "indptr", "shape"}))
        inner[key] = mutate(inner[key], chance)
        buffer = io.BytesIO()
        np.savez(buffer, **inner)
        members[name] = buffer.getvalue()
    elif names:
        name = chance.choice(names)
        members[name] = _npy(mutate(np.load(io.BytesIO(members[name])), chance))
    return _write(members)


def _change_number(data: bytes, chance: random.Random) -> bytes:
    """One value in the schema: a number, a text, a switch."""
    members = _read(data)
    schema = json.loads(members["schema.json"])
    nodes = list(_json_nodes(schema))
    node = chance.choice(nodes)
    value = json.loads(node["content"])
    others: list[Any] = [0, 1, -1, 2, 3, 64, 10**9, 2**31 - 1, -(2**31), 2**62, 1e308, float("nan"), None, True, False]
    others += ["auto", "predict", "precomputed", "brute", "kd_tree", "zero", "stratified", "apply", "decision_path", ""]
    others += ["fit", "fit_predict", "fit_transform", "_validate_params", "score", "get_params", "cache", "-1*n_jobs"]
    if isinstance(value, int) and not isinstance(value, bool) and chance.random() < 0.5:
        others = [value + 1, value - 1, value * 2, -value]
    node["content"] = json.dumps(chance.choice(others))
    node["__id__"] = None  # else an equal value elsewhere would take its place
    members["schema.json"] = json.dumps(schema).encode()
    return _write(members)


def _json_nodes(node: Any) -> Iterator[dict[str, Any]]:
    todo = [node]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            if item.get("__loader__") == "JsonNode":
                yield item
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)


def mutate(array: NDArray[Any], chance: random.Random) -> NDArray[Any]:
    """The array with other values, another shape or another type."""
    array = array.copy()
    ways = [_set_values] * 4 + [_reshape] * 3 + [_retype] * 2
    return chance.choice(ways)(array, chance)


def _set_values(array: NDArray[Any], chance: random.Random) -> NDArray[Any]:
    target = array
    if array.dtype.names:
        target = array[chance.choice(array.dtype.names)]
    if not target.size:
        return array
    flat = target.flat
    values: list[Any] = [0, 1, -1, -2, 2, 3, 63, 64, 65, 255, 2**15, 2**31 - 1, -(2**31), 2**62]
    if target.dtype.kind == "f":
        values += [float("nan"), float("inf"), -float("inf"), 1e308, 1e-308]
    position = chance.choice((0, target.size - 1, chance.randrange(target.size)))
    with np.errstate(all="ignore"):
        old = flat[position].item() if target.dtype.kind in "biuf" else 0
        if target.dtype.kind in "iuf" and chance.random() < 0.4:
            values = [old + 1, old - 1, -old, old + 1000, 2 * old]
        if target.dtype.kind in "biuf":
            value = _as(chance.choice(values), target.dtype)
            if chance.random() < 0.2:
                target[...] = value
            else:
                flat[position] = value
    return array


def _as(value: Any, dtype: np.dtype[Any]) -> Any:
    try:
        return np.asarray(value).astype(dtype)
    except (OverflowError, TypeError):  # an integer of more than 64 bits
        return np.asarray(2**62).astype(dtype)


def _reshape(array: NDArray[Any], chance: random.Random) -> NDArray[Any]:
    ways: list[Callable[[], NDArray[Any]]] = [
        lambda: array[:0],
        lambda: array[:-1],
        lambda: array[: len(array) // 2],
        lambda: array[1:],
        lambda: np.concatenate([array, array]),
        lambda: np.concatenate([array, array[-1:]]),
        lambda: array.T,
        lambda: np.asfortranarray(array),
        lambda: array.reshape(-1),
        lambda: array.reshape(-1, 1),
        lambda: array.reshape(1, *array.shape),
        lambda: array[..., :-1],
        lambda: array[..., :1],
        lambda: np.concatenate([array, array], axis=-1),
        lambda: array.reshape(array.shape[::-1]),
        lambda: np.zeros((0, *array.shape), array.dtype),
        lambda: np.zeros((), array.dtype),
    ]
    try:
        return chance.choice(ways)()
    except (ValueError, IndexError, TypeError):  # of no use for this number of dimensions
        return array[..., :0] if array.ndim else array


def _retype(array: NDArray[Any], chance: random.Random) -> NDArray[Any]:
    if array.dtype.names:
        fields = [(name, array.dtype[name]) for name in array.dtype.names]
        chance.shuffle(fields)
        other = np.dtype({"names": [name for name, _ in fields], "formats": [kind for _, kind in fields]})
        if other.itemsize == array.dtype.itemsize and chance.random() < 0.5:
            return array.view(other)
        return array[list(array.dtype.names[:-1])].copy()
    kinds = ("f4", "f8", ">f8", "i8", "i4", "i2", "u8", "u1", "b1", "c16", "f2", "U3", "S2", "M8[s]", "V8")
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind = chance.choice(kinds)
            if chance.random() < 0.3 and array.dtype.itemsize % np.dtype(kind).itemsize == 0 and array.ndim:
                return array.view(kind)
            return array.astype(kind)
    except (ValueError, TypeError, RuntimeError):
        return array


def _read(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _write(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
