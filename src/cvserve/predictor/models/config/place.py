"""Where the `model.toml` and the labels of a model are looked for: beside its file, or in the working folder."""

import os
from pathlib import Path

from cvserve.model_name import TIMM, TIMM_FUNCTION, class_reference
from cvserve.predictor.models.files.imports import is_installed

_IN_FOLDER = "model"


def find_config_place(model: str | os.PathLike[str], source: Path) -> Path:
    """The path of a model file beside which its `model.toml` is: of the same stem, in the same folder.

    That of a folder is in it. `package.module:Name` names no file, and the folder of an installed package is nobody's
    to write into: its config is `module.toml` in the working folder; that of a package of one's own is looked for
    beside the module first. A model of timm, `timm:resnet18.a1_in1k`, has `resnet18.toml`.

    Args:
        model: as it was named.
        source: the file or folder that was found for it.

    Returns:
        A path that need not be there.
    """
    if source.is_dir():
        return source / _IN_FOLDER
    reference = class_reference(os.fspath(model))
    if reference is None or reference[0].endswith(".py"):
        return source
    where, name = reference
    if where == TIMM and name != TIMM_FUNCTION:
        return Path(name)
    here = Path(f"{where.rpartition('.')[2]}.py")
    places = (here, source) if is_installed(source) else (source, here)
    return next((place for place in places if os.path.lexists(place.with_suffix(".toml"))), places[0])
