"""Why a pickle could not be read, said by its cause: another version, a package or a module that is missing."""

from cvserve.predictor.backends.sklearn.saved_version import explain_version, find_other_version, is_compiled_part
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.files.pickle_scan import scan_pickle
from cvserve.predictor.user_code import describe_error
from cvserve.texts import list_some

# What `pip install` calls a module that people's classifiers are made of. Of other names nothing is said to be
# installed: whoever guesses what a stranger's package is called installs another stranger's.
_PACKAGES = {
    "catboost": "catboost",
    "category_encoders": "category-encoders",
    "cv2": "opencv-python-headless",
    "feature_engine": "feature-engine",
    "imblearn": "imbalanced-learn",
    "lightgbm": "lightgbm",
    "numba": "numba",
    "pandas": "pandas",
    "scipy": "scipy",
    "skimage": "scikit-image",
    "sklearnex": "scikit-learn-intelex",
    "skorch": "skorch",
    "torch": "torch",
    "umap": "umap-learn",
    "xgboost": "xgboost",
}
_MOST_SHOWN = 5


def explain_unreadable(file: ModelFile, error: Exception) -> ModelFault:
    """The error for a file that raised while it was read.

    Args:
        file: a pickle or a joblib file.
        error: as it was raised.
    """
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _explain_missing(file, error.name)
    folder = file.path.absolute().parent
    if file.imports and (said := describe_error(error, folder)).startswith(_names_of(file)):
        return ModelFault(f"failed in its own code: {said}")
    own = [name for name in scan_pickle(file.data).names if name.startswith("__main__.")]
    if isinstance(error, AttributeError) and own:
        return ModelFault(
            f"needs {list_some(own, _MOST_SHOWN)}, written in a notebook or script, and a pickle holds no code; "
            f"move it into a file beside '{file.path.name}', such as my_model.py, import it from there, and save the "
            "model again."
        )
    if find_other_version(file) is not None:
        return explain_version(file)
    return ModelFault(
        f"cannot be read as {file.kind.title}: it is damaged, cut off, or made by another version of its libraries; "
        "save or copy it again."
    )


def _explain_missing(file: ModelFile, module: str) -> ModelFault:
    top = module.partition(".")[0]
    if is_compiled_part(module) or top == "sklearn":
        return explain_version(file)
    if top in _PACKAGES:
        return ModelFault(f"needs the package '{top}', which is not installed here; run: pip install {_PACKAGES[top]}")
    return ModelFault(
        f"needs the module '{module}', which is not here; if it is yours, put {top}.py beside '{file.path.name}'; if "
        "it is of a package, install the one that the model was made with."
    )


def _names_of(file: ModelFile) -> tuple[str, ...]:
    folder = file.path.absolute().parent
    inside = [module.path for module in file.imports if module.path.is_relative_to(folder)]
    return tuple(str(path.relative_to(folder)) for path in inside)
