"""ONNX models, run by ONNX Runtime from the bytes that were read and hashed."""

from functools import partial
from typing import Any, NoReturn

from numpy.typing import NDArray

from cvserve.errors import ModelLoadError
from cvserve.predictor.backends.onnx.backend import explain_failure, make_backend
from cvserve.predictor.backends.onnx.graph import Graph, read_graph
from cvserve.predictor.backends.onnx.input import GraphInput, Port, read_input
from cvserve.predictor.backends.onnx.output import find_places, find_scores, sizes_of
from cvserve.predictor.backends.onnx.providers import check_loaded
from cvserve.predictor.backends.onnx.runtime import VERSION, find_provider, open_session
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.outputs import SeveralOutputs, missing_output
from cvserve.predictor.models.resolve import Connect, ModelFacts
from cvserve.predictor.source import ModelSource
from cvserve.texts import escape_unprintable


def load_onnx(file: ModelFile, source: ModelSource) -> ModelFacts:
    """A classifier from an ONNX file.

    Raises:
        ModelFault: damaged, of a version or with operators that ONNX Runtime does not know, with weights in other
            files that cannot be read, no classifier of pictures; or a package is missing.
        Unsafe: everybody may write to a file of weights.
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
    candidates = find_scores(outputs, graph.top_k)
    return ModelFacts(
        format="onnx",
        connect=_connect(session, taken, candidates, find_places(outputs)),
        pick=partial(_pick, session, taken, outputs),
        features=taken.features,
        labels=graph.labels,
        input=taken.said,
        defaults=taken.defaults,
        guessed=taken.guessed,
        suggested=_suggest_input(graph, taken),
        pixel_steps=None if graph.pixels is None else graph.pixels.steps,
        extra=_describe(graph, taken) | ({"runs as": runs_as} if runs_as else {}),
        parts=graph.parts,
        describe_failure=explain_failure,
        device=provider.device,
        half=provider.half,
    )


def _connect(session: Any, taken: GraphInput, candidates: list[Port], places: list[str]) -> Connect:
    """`connect` for the only output that can be the scores; one that asks where there are several."""
    if len(candidates) == 1:
        return partial(make_backend, session, taken, candidates[0].name, places)

    def ask(_batch: NDArray[Any], _wanted: str | None) -> NoReturn:
        raise SeveralOutputs(sizes_of(candidates))

    return ask


def _pick(session: Any, taken: GraphInput, outputs: list[Port], use: str | int) -> Connect:
    """`connect` for an output by its name, or by its place among all outputs."""
    found = [entry for place, entry in enumerate(outputs) if use in (entry.name, place)]
    if not found:
        raise missing_output(use, sizes_of(outputs))
    return partial(make_backend, session, taken, found[0].name, [])


def _suggest_input(graph: Graph, taken: GraphInput) -> dict[str, Any]:
    """How pictures become its input, as far as the exporter or the arithmetic at the beginning of the graph tells."""
    suggested = dict(graph.metadata.input)
    if taken.said["dtype"] == "uint8":
        return suggested | {"scale": 1.0, "mean": (0.0,), "std": (1.0,)}
    if graph.pixels is not None:
        return suggested | {"scale": graph.pixels.scale, "mean": (0.0,), "std": (1.0,)}
    return suggested


def _describe(graph: Graph, taken: GraphInput) -> dict[str, Any]:
    """What is said of the graph to people."""
    said: dict[str, Any] = {"opset": graph.opset}
    if graph.producer:
        said["producer"] = graph.producer
    if taken.batch is not None:
        said["batch"] = f"{taken.batch} at a time"
    if graph.parts:
        said["weights"] = ", ".join(escape_unprintable(name) for name, _ in graph.parts)
    return said | dict(graph.metadata.extra)


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
