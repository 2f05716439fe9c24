"""`.skops`: an archive of typed parts. Types that nobody allowed are refused before any part is made."""

from collections.abc import Sequence
from typing import Any

import skops.io

from cvserve.predictor.backends.sklearn.checks.allowed import SKLEARN_TYPES
from cvserve.predictor.backends.sklearn.checks.trees import check_trees
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.file import ModelFile
from cvserve.predictor.models.zip_limits import check_archive
from cvserve.texts import to_ascii


def read_skops(file: ModelFile, trust_types: Sequence[str]) -> Any:
    """The object in the archive.

    Args:
        file: of kind skops.
        trust_types: full names of types to allow beside scikit-learn's own.

    Raises:
        ModelLoadError: the archive breaks a limit.
        ModelFault: it is damaged, or holds types that nobody allowed.
    """
    check_archive(file.data)
    found = skops.io.get_untrusted_types(data=file.data)
    allowed = {*SKLEARN_TYPES, *trust_types}
    unknown = [type_name for type_name in found if type_name not in allowed]
    if unknown:
        options = " ".join(f"--trust-type {to_ascii(type_name)}" for type_name in unknown)
        raise ModelFault(
            f"holds types that may be harmful: {', '.join(map(to_ascii, unknown))}. "
            f"If you made it, or trust whoever did, add: {options}"
        )
    model = skops.io.loads(file.data, trusted=found)
    check_trees(model)
    return model
