"""`.skops`: an archive of typed parts. Types that nobody allowed are refused before any part is made."""

import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any

from skops.io._audit import get_tree
from skops.io._protocol import PROTOCOL
from skops.io._utils import LoadContext

from cvserve.predictor.backends.sklearn.checks.allowed import ALLOWED
from cvserve.predictor.backends.sklearn.checks.contents import (
    check_contents,
    find_unlisted,
    name_types,
    refuse_types,
)
from cvserve.predictor.backends.sklearn.checks.nodes import check_nodes
from cvserve.predictor.backends.sklearn.saved_version import explain_version, is_compiled_part
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.formats.zip_limits import SCHEMA, check_archive


def read_skops(file: ModelFile, trust_types: Sequence[str]) -> Any:
    """The object in the archive, all of it checked.

    Args:
        file: of kind skops.
        trust_types: full names of types to allow, whatever they hold, beside those of scikit-learn that are checked.

    Raises:
        ModelLoadError: the archive breaks a limit.
        ModelFault: it is damaged, or holds types that nobody allowed, or what would harm.
    """
    check_archive(file.data)
    with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
        schema = json.loads(archive.read(SCHEMA))
        root = get_tree(schema, LoadContext(src=archive, protocol=_protocol_of(schema)), trusted=None)
        names = name_types(schema)
        # What skops does not trust by itself, and what it trusts and nobody has looked at.
        found = {name for name in root.get_unsafe_set() if name not in ALLOWED} | find_unlisted(names)
        unknown = sorted(found - {*trust_types})
        if unknown:
            raise _explain_unknown(file, unknown)
        check_nodes(root)
        model = root.construct()
    check_contents(model, trust_types, names)
    return model


def _explain_unknown(file: ModelFile, unknown: list[str]) -> ModelFault:
    """Types that nobody allowed. A compiled part of another scikit-learn is none that a user could trust."""
    if any(is_compiled_part(name) for name in unknown):
        return explain_version(file)
    return refuse_types(unknown)


def _protocol_of(schema: Any) -> int:
    """The version of the format, by which skops chooses what reads a node; later ones are not known here."""
    protocol = schema["protocol"]
    if type(protocol) is not int or not 0 <= protocol <= PROTOCOL:
        raise ValueError(f"protocol {protocol!a}")
    return protocol
