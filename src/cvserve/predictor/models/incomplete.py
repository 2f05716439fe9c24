"""Files that are not a whole model: a class without its name, weights without their class. Each has a way out."""

import ast
import shlex

from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.file import ModelFile
from cvserve.predictor.models.foreign import explain_foreign
from cvserve.predictor.models.hidden_code import find_names
from cvserve.predictor.models.kinds import PYTHON

_MAX_SHOWN = 5
# What a state dict is made of; a pickled module names its own class as well.
_OF_WEIGHTS = ("torch.", "collections.OrderedDict", "numpy.", "_codecs.encode", "argparse.Namespace")
_OF_MODULES = ("torch.nn.modules.", "torch.fx.")
_BUILTINS = ("__builtin__.", "builtins.")


def explain_incomplete(file: ModelFile) -> ModelFault:
    """Say what is missing, and the command that names it.

    Args:
        file: a Python file, or a PyTorch file that is no program.

    Returns:
        The error to raise in `about(file)`.
    """
    if file.kind is PYTHON:
        return _explain_unnamed_class(file)
    foreign = explain_foreign(file, find_names(file).names)
    if foreign is not None:
        return foreign
    path = shlex.quote(str(file.path))
    found = find_pickled_classes(file)
    if found and not found[0].startswith(_BUILTINS):
        return ModelFault(
            f"is a whole pickled PyTorch model ({', '.join(found)}), which is code and not "
            f"weights; save the weights, torch.save(model.state_dict(), {file.path.name!r}), and run: "
            f"cvserve serve --model model.py:{found[0].rpartition('.')[2]} --weights {path}"
        )
    return ModelFault(
        "holds the weights of a PyTorch model and not its class; name the class: "
        f"cvserve serve --model model.py:ClassName --weights {path}"
    )


def find_pickled_classes(file: ModelFile) -> tuple[str, ...]:
    """Find the classes that a PyTorch file would make beside weights.

    Returns:
        At most 5 names: those of the user's own code first, then those of PyTorch's modules; empty: weights alone.
    """
    names = find_names(file).names
    own = [name for name in names if not name.startswith((*_OF_WEIGHTS, *_BUILTINS))]
    modules = [name for name in names if name.startswith(_OF_MODULES)]
    return tuple((own + modules or [name for name in names if name.startswith(_BUILTINS)])[:_MAX_SHOWN])


def _explain_unnamed_class(file: ModelFile) -> ModelFault:
    try:
        nodes = ast.parse(file.data).body
    except (SyntaxError, ValueError):
        nodes = []
    names = [node.name for node in nodes if isinstance(node, ast.ClassDef)] or ["ClassName"]
    shown = " or ".join(f"{file.path}:{name}" for name in names[:_MAX_SHOWN])
    return ModelFault(f"is a Python file; name the class in it: {shown}.")
