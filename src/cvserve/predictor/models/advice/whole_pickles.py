"""Files of frameworks that pickle whole models of their own classes: what they are, and the way from there to a server.

To read them would run their code, so it is left to the framework to write the same model as ONNX.
"""

import shlex
from collections.abc import Sequence

from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.files.file import ModelFile

_ULTRALYTICS = "ultralytics.nn.tasks."
_FASTAI = "fastai.learner.Learner"
# What a shell reads also between double quotation marks
_SPECIAL = frozenset('"$`!\\')


def explain_foreign(file: ModelFile, names: Sequence[str]) -> ModelFault | None:
    """Say how a pickled model of another framework can be served; None for what is none.

    Args:
        file: a PyTorch file.
        names: of all classes and functions that it would import, `module.name`.

    Returns:
        The error to raise in `about(file)`.
    """
    tasks = [name.removeprefix(_ULTRALYTICS) for name in names if name.startswith(_ULTRALYTICS)]
    if tasks:
        return _explain_ultralytics(file, tasks)
    return _explain_fastai(file) if _FASTAI in names else None


def _explain_ultralytics(file: ModelFile, tasks: Sequence[str]) -> ModelFault:
    if "ClassificationModel" not in tasks:
        return ModelFault(
            f"is a model of Ultralytics that does not classify pictures ({', '.join(tasks)}), and cvserve serves "
            "classifiers; train one from a model whose name ends in -cls."
        )
    # Ultralytics writes its ONNX file beside the pickle.
    model, exported = (shlex.quote(str(path)) for path in (file.path, file.path.with_suffix(".onnx")))
    return ModelFault(
        "is a pickle of classes of Ultralytics, which is code and not weights; where Ultralytics is installed, run: "
        f"yolo export model={model} format=onnx && cvserve serve --model {exported}"
    )


def _explain_fastai(file: ModelFile) -> ModelFault:
    folder = file.path.parent
    code = (
        "import torch; from fastai.vision.all import load_learner; "
        f"learn = load_learner({str(file.path)!r}); "
        "torch.onnx.export(learn.model.eval(), (torch.zeros(2, 3, 224, 224),), "
        f"{str(file.path.with_suffix('.onnx'))!r}, dynamic_shapes=({{0: torch.export.Dim.DYNAMIC}},), "
        "external_data=False); "
        f"open({str(folder / 'labels.txt')!r}, 'w').write(chr(10).join(learn.dls.vocab))"
    )
    quoted = shlex.quote(code) if set(code) & _SPECIAL else f'"{code}"'
    exported = shlex.quote(str(file.path.with_suffix(".onnx")))
    return ModelFault(
        "is a pickled Learner of fastai, which is code and not weights; how its Resize becomes a transform is in "
        "docs/models.md, Lightning and fastai; where fastai is installed, run (with the size "
        f"of its pictures in place of 224, 224): python -c {quoted} && cvserve serve --model {exported}"
    )
