"""The version of scikit-learn that wrote a file, read from the file: also where loading it fails before it says."""

import re
import zipfile
from io import BytesIO

import sklearn

from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.files.pickle_scan import unpack
from cvserve.predictor.models.formats.zip_limits import SCHEMA

# An estimator's state has a text of this name, and after it its value: with an opcode and a length in a pickle, of
# which an opcode that keeps the name may come between; as a node in the JSON of skops.
_IN_PICKLE = re.compile(
    rb"_sklearn_version(?:\x94|q.|r.{4})?(?:\x8c.|X.{4})(\d+(?:\.\d+)+(?:\.?[a-z]+\d+)?)", re.DOTALL
)
_IN_SCHEMA = re.compile(rb'"_sklearn_version": \{[^{}]{0,200}"content": "\\"(\d+\.\d+[\w.]{0,12})\\""')
_RELEASE = re.compile(r"\d+(\.\d+)+")
# What skl2onnx has a converter for that fails on what was trained.
_NOT_CONVERTED = (b"HistGradientBoosting",)
_MOST_SCHEMA_BYTES = 64 * 1024**2


def find_other_version(file: ModelFile) -> str | None:
    """The version that wrote the file; None when it is the installed one, or the file does not say."""
    found = _search(file)
    version = found[1].decode("ascii") if found else None
    return None if version == sklearn.__version__ else version


def is_compiled_part(name: str) -> bool:
    """Whether a name such as `_loss.CyHalfMultinomialLoss` is that of compiled code in scikit-learn, by its old place.

    No package that could be installed, and no type that a user could vouch for, is called so.
    """
    return name.startswith("_")


def explain_version(file: ModelFile) -> ModelFault:
    """The error for a file whose parts the installed scikit-learn does not have.

    Args:
        file: a pickle, a joblib file or skops.
    """
    saved_with = find_other_version(file)
    ways = [f"train and save it with {sklearn.__version__}"]
    if not any(name in _read_names(file) for name in _NOT_CONVERTED):
        ways.append("export it to ONNX by skl2onnx where it was trained")
    if saved_with and _RELEASE.fullmatch(saved_with):
        ways.append(
            f"serve it in an environment with the version that wrote it: pip install 'scikit-learn=={saved_with}'"
        )
    wrote = f"scikit-learn {saved_with}" if saved_with else "another scikit-learn"
    return ModelFault(
        f"was saved with {wrote}, and its parts are not those of {sklearn.__version__}, which is installed here; "
        f"{', or '.join(ways)}"
    )


def _search(file: ModelFile) -> re.Match[bytes] | None:
    return (_IN_SCHEMA if file.kind.key == "skops" else _IN_PICKLE).search(_read_names(file))


def _read_names(file: ModelFile) -> bytes:
    """What of the file names types and versions; empty: it cannot be read."""
    if file.kind.key != "skops":
        return unpack(file.data) or b""
    try:
        with zipfile.ZipFile(BytesIO(file.data)) as archive, archive.open(SCHEMA) as schema:
            return schema.read(_MOST_SCHEMA_BYTES)
    except Exception:  # zipfile raises a dozen kinds on bad bytes
        return b""
