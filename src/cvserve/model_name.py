"""How a model is named that is no file: by its class, a function that makes it, or its name in timm."""

import re

# What stands before the name of a model of timm
TIMM = "timm"
# In `timm:create_model` it is no name of a model, but the function.
TIMM_FUNCTION = "create_model"


def class_reference(text: str) -> tuple[str, str] | None:
    """The two halves of `my_model.py:MaskModel`, `package.module:MaskModel` or `timm:resnet18.a1_in1k`.

    Returns:
        None for the name of a file.
    """
    where, _, name = text.rpartition(":")
    if where == TIMM and re.fullmatch(r"[\w.-]+", name):
        return where, name
    is_place = where.endswith(".py") or all(part.isidentifier() for part in where.split("."))
    return (where, name) if is_place and name.isidentifier() else None
