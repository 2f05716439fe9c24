"""scikit-learn's types that a `.skops` file may hold without `--trust-type`, and how each is checked.

skops allows all of scikit-learn's estimators, since loading them runs no code. Asking them runs scikit-learn's compiled
code, much of which follows indices and lengths from the file without a look. So a type stands here for one of two
reasons: what answers is Python, NumPy and SciPy alone, which raise errors when something does not fit (`_PLAIN`), or
all that compiled code follows is checked (`CHECKED`). A type that nobody has looked at needs trust. What an estimator
was made with is checked for both, in `parameters.py`.

Left out on purpose: what makes sparse matrices (encoders of categories, texts, `KBinsDiscretizer`), since SciPy follows
their indices; what iterates in Cython with arrays from the file (`NMF`, `DictionaryLearning`,
`LatentDirichletAllocation`); search trees (`KDTree`, `BallTree`), splines, and whatever classifies nothing.
"""

from collections.abc import Callable
from typing import Any

from cvserve.predictor.backends.sklearn.checks.boosting import check_boosting, check_histogram_boosting
from cvserve.predictor.backends.sklearn.checks.composites import (
    check_dummy,
    check_one_vs_rest,
    check_stacking,
)
from cvserve.predictor.backends.sklearn.checks.neighbours import check_centroids, check_clusters, check_neighbours
from cvserve.predictor.backends.sklearn.checks.trees import check_decision_tree, check_forest, check_tree
from cvserve.predictor.backends.sklearn.checks.vectors import check_support_vectors

CHECKED: dict[str, Callable[[Any], None]] = {
    "sklearn.cluster._kmeans.KMeans": check_clusters,
    "sklearn.cluster._kmeans.MiniBatchKMeans": check_clusters,
    "sklearn.dummy.DummyClassifier": check_dummy,
    "sklearn.ensemble._forest.ExtraTreesClassifier": check_forest,
    "sklearn.ensemble._forest.RandomForestClassifier": check_forest,
    "sklearn.ensemble._gb.GradientBoostingClassifier": check_boosting,
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier": (
        check_histogram_boosting
    ),
    "sklearn.ensemble._stacking.StackingClassifier": check_stacking,
    "sklearn.multiclass.OneVsRestClassifier": check_one_vs_rest,
    "sklearn.neighbors._classification.KNeighborsClassifier": check_neighbours,
    "sklearn.neighbors._nearest_centroid.NearestCentroid": check_centroids,
    "sklearn.svm._classes.NuSVC": check_support_vectors,
    "sklearn.svm._classes.SVC": check_support_vectors,
    "sklearn.tree._classes.DecisionTreeClassifier": check_decision_tree,
    "sklearn.tree._classes.DecisionTreeRegressor": check_decision_tree,
    "sklearn.tree._classes.ExtraTreeClassifier": check_decision_tree,
    "sklearn.tree._tree.Tree": check_tree,
}

# Module: names of its types.
_PLAIN = {
    "sklearn._loss.link": "HalfLogitLink IdentityLink Interval LogitLink LogLink MultinomialLogit",
    "sklearn._loss.loss": "ExponentialLoss HalfBinomialLoss HalfMultinomialLoss",
    "sklearn.calibration": "CalibratedClassifierCV _CalibratedClassifier _SigmoidCalibration _TemperatureScaling",
    "sklearn.compose._column_transformer": "ColumnTransformer",
    "sklearn.decomposition._factor_analysis": "FactorAnalysis",
    "sklearn.decomposition._fastica": "FastICA",
    "sklearn.decomposition._incremental_pca": "IncrementalPCA",
    "sklearn.decomposition._kernel_pca": "KernelPCA",
    "sklearn.decomposition._pca": "PCA",
    "sklearn.decomposition._truncated_svd": "TruncatedSVD",
    "sklearn.discriminant_analysis": "LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis",
    "sklearn.ensemble._bagging": "BaggingClassifier",
    "sklearn.ensemble._hist_gradient_boosting.binning": "_BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",  # checked with its owner
    "sklearn.ensemble._voting": "VotingClassifier",
    "sklearn.ensemble._weight_boosting": "AdaBoostClassifier",
    "sklearn.feature_selection._from_model": "SelectFromModel",
    "sklearn.feature_selection._mutual_info": "mutual_info_classif",
    "sklearn.feature_selection._rfe": "RFE RFECV",
    "sklearn.feature_selection._sequential": "SequentialFeatureSelector",
    "sklearn.feature_selection._univariate_selection": (
        "GenericUnivariateSelect SelectFdr SelectFpr SelectFwe SelectKBest SelectPercentile chi2 f_classif"
    ),
    "sklearn.feature_selection._variance_threshold": "VarianceThreshold",
    "sklearn.frozen._frozen": "FrozenEstimator",
    "sklearn.gaussian_process._gpc": "GaussianProcessClassifier _BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels": (
        "CompoundKernel ConstantKernel DotProduct Matern Product RBF RationalQuadratic Sum WhiteKernel"
    ),
    "sklearn.isotonic": "IsotonicRegression",
    "sklearn.kernel_approximation": "AdditiveChi2Sampler Nystroem PolynomialCountSketch RBFSampler SkewedChi2Sampler",
    "sklearn.linear_model._base": "LinearRegression",
    "sklearn.linear_model._coordinate_descent": "Lasso LassoCV",
    "sklearn.linear_model._logistic": "LogisticRegression LogisticRegressionCV",
    "sklearn.linear_model._passive_aggressive": "PassiveAggressiveClassifier",
    "sklearn.linear_model._perceptron": "Perceptron",
    "sklearn.linear_model._ridge": "Ridge RidgeClassifier RidgeClassifierCV",
    "sklearn.linear_model._stochastic_gradient": "SGDClassifier",
    "sklearn.metrics._scorer": "_PassthroughScorer",
    "sklearn.model_selection._classification_threshold": "FixedThresholdClassifier TunedThresholdClassifierCV",
    "sklearn.model_selection._search": "GridSearchCV RandomizedSearchCV",
    "sklearn.model_selection._split": "KFold ShuffleSplit StratifiedKFold StratifiedShuffleSplit",
    "sklearn.multiclass": "OneVsOneClassifier OutputCodeClassifier _ConstantPredictor",
    "sklearn.naive_bayes": "BernoulliNB CategoricalNB ComplementNB GaussianNB MultinomialNB",
    "sklearn.neighbors._nca": "NeighborhoodComponentsAnalysis",
    "sklearn.neural_network._multilayer_perceptron": "MLPClassifier",
    "sklearn.neural_network._rbm": "BernoulliRBM",
    "sklearn.neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
    "sklearn.pipeline": "FeatureUnion Pipeline",
    "sklearn.preprocessing._data": (
        "Binarizer KernelCenterer MaxAbsScaler MinMaxScaler Normalizer PowerTransformer QuantileTransformer "
        "RobustScaler StandardScaler"
    ),
    "sklearn.preprocessing._function_transformer": "FunctionTransformer",
    "sklearn.preprocessing._label": "LabelBinarizer LabelEncoder",
    "sklearn.preprocessing._polynomial": "PolynomialFeatures",
    "sklearn.random_projection": "GaussianRandomProjection SparseRandomProjection",
    "sklearn.semi_supervised._self_training": "SelfTrainingClassifier",
    "sklearn.svm._classes": "LinearSVC",
    "sklearn.utils._bunch": "Bunch",
}
ALLOWED = frozenset({*CHECKED, *(f"{module}.{name}" for module, names in _PLAIN.items() for name in names.split())})
# Compiled losses: made of numbers by their constructors, and asked by `fit` alone.
LOSS_MODULES = ("_loss.", "sklearn._loss._loss.Cy", "sklearn.linear_model._sgd_fast.")
