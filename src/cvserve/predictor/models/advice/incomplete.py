"""Files that are not a whole model: a class without its name, weights without their class. Each has a way out."""

import ast
import shlex

from cvserve.predictor.models.advice.network_name import find_outer_class, suggest_model
from cvserve.predictor.models.advice.whole_pickles import explain_foreign
from cvserve.predictor.models.code.hidden_code import find_names
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.formats.checkpoint_types import DICTIONARIES, STOOD_IN
from cvserve.predictor.models.formats.kinds import PYTHON, SAFETENSORS, TORCH

_MAX_SHOWN = 5
_NAME_IT = "name the class, or timm:NAME or torchvision.models:NAME where it is one of theirs"
# What a state dict is made of; a pickled module names its own class as well.
_OF_WEIGHTS = ("torch.", "collections.OrderedDict", "numpy.", "_codecs.encode", *STOOD_IN, *DICTIONARIES)
_OF_MODULES = ("torch.nn.modules.", "torch.fx.")
_BUILTINS = ("__builtin__.", "builtins.")


def explain_incomplete(file: ModelFile) -> ModelFault:
    """Say what is missing, and the command that names it.

    Args:
        file: a Python file, a PyTorch file that is no program, or safetensors.

    Returns:
        The error to raise in `about(file)`.
    """
    if file.kind is PYTHON:
        return _explain_unnamed_class(file)
    foreign = explain_foreign(file, find_names(file).names) if file.kind is TORCH else None
    if foreign is not None:
        return foreign
    path = shlex.quote(str(file.path))
    found = find_pickled_classes(file) if file.kind is TORCH else ()
    if found and not found[0].startswith(_BUILTINS):
        note, model = _name_outer_class(file)
        return ModelFault(
            f"is a whole pickled PyTorch model ({', '.join(found)}), which is code and not "
            f"weights; save the weights, torch.save(model.state_dict(), {file.path.name!r}), and run{note}: "
            f"cvserve serve --model {model} --weights {path}"
        )
    model = suggest_model(file)
    if model.endswith("/"):
        return ModelFault(f"is one of the files of a model; serve their folder: cvserve serve --model {model}")
    is_named = not model.startswith("model.py:")
    return ModelFault(
        f"holds the weights of a {'model' if file.kind is SAFETENSORS else 'PyTorch model'} and not its class; "
        f"{'run' if is_named else _NAME_IT}: cvserve serve --model {model} --weights {path}"
    )


def _name_outer_class(file: ModelFile) -> tuple[str, str]:
    """What to write behind `--model` for a model that was pickled whole, and a word about it."""
    module, _, name = (find_outer_class(file) or "model.ClassName").rpartition(".")
    if module.startswith("torchvision.models"):
        return " (with the function that made it)", "torchvision.models:resnet18"
    if module.startswith("timm."):
        return " (with the name that it was made by)", "timm:resnet18"
    if module == "__main__":
        return " (with the file of the class)", f"model.py:{name}"
    return "", f"{module}.py:{name}" if "." not in module else f"{module}:{name}"


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
