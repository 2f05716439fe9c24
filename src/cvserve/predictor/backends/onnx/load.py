"""ONNX models, run by ONNX Runtime from the bytes that were read and hashed."""

from functools import partial
from typing import Any

from cvserve.errors import ModelLoadError
from cvserve.predictor.backends.onnx.backend import explain_failure, make_backend
from cvserve.predictor.backends.onnx.graph import Graph, read_graph
from cvserve.predictor.backends.onnx.input import Port, read_input
from cvserve.predictor.backends.onnx.providers import check_loaded
from cvserve.predictor.backends.onnx.runtime import VERSION, find_provider, open_session
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.file import ModelFile
from cvserve.predictor.models.resolve import ModelFacts
from cvserve.predictor.source import ModelSource
from cvserve.texts import escape_unprintable

_FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)")


def load_onnx(file: ModelFile, source: ModelSource) -> ModelFacts:
    """A classifier from an ONNX file.

    Raises:
        ModelFault: damaged, of a version or with operators that ONNX Runtime does not know, with weights in
            other files, no classifier of pictures; or a package is missing.
    """
    graph = read_graph(file)
    provider = find_provider(source)
    try:
        session = open_session(graph.data, provider)
        inputs, outputs = ([Port.of(entry) for entry in each()] for each in (session.get_inputs, session.get_outputs))
    except ModelFault:  # a sentence already
        raise
    except Exception:  # ONNX Runtime has a dozen kinds of errors, and its texts are not for users
        raise _cannot_run(graph, file) from None
    runs_as = check_loaded(session, provider)
    taken = read_input(inputs)
    output = _find_output(outputs)
    extra: dict[str, Any] = {"opset": graph.opset}
    if graph.producer:
        extra["producer"] = graph.producer
    if runs_as:
        extra["runs as"] = runs_as
    if taken.batch is not None:
        extra["batch"] = f"{taken.batch} at a time"
    return ModelFacts(
        format="onnx",
        connect=partial(make_backend, session, taken, output),
        features=taken.features,
        labels=graph.labels,
        input=taken.said,
        defaults=taken.defaults,
        guessed=taken.guessed,
        extra=extra,
        describe_failure=explain_failure,
        device=provider.device,
        half=provider.half,
    )


def _cannot_run(graph: Graph, file: ModelFile) -> ModelLoadError:
    if graph.custom_domains:
        domains = ", ".join(f"'{escape_unprintable(domain)}'" for domain in graph.custom_domains)
        return ModelFault(
            f"uses operators of {domains}, which ONNX Runtime does not have; export it with standard ones."
        )
    return ModelLoadError(
        f"ONNX Runtime {VERSION} cannot run '{file.path.name}' (opset {graph.opset}, IR version {graph.ir_version}): "
        "it is damaged or newer than that; copy it again, install a newer onnxruntime, or export it with a lower opset."
    )


def _find_output(outputs: list[Port]) -> str:
    """The output that holds the scores: the only one of floats, or the only one of them with a row a picture."""
    floats = [entry for entry in outputs if entry.type in _FLOATS]
    rows = [entry for entry in floats if len(entry.shape) == 2]
    for candidates in (floats, rows):
        if len(candidates) == 1:
            return str(candidates[0].name)
    given = ", ".join(f"'{escape_unprintable(entry.name)}' {entry.type}" for entry in outputs)
    raise ModelFault(
        f"gives {given}; a classifier gives one output of floats [batch, classes]: export it with only that."
    )
