"""What an ONNX file says before anything runs it: versions, its outputs, names of classes, what it does with pixels."""

from dataclasses import dataclass
from typing import Any

from cvserve.errors import ModelLoadError, Unsafe
from cvserve.predictor.backends.onnx.constant_sizes import check_constant_sizes
from cvserve.predictor.backends.onnx.external import embed_external_data
from cvserve.predictor.backends.onnx.library import onnx
from cvserve.predictor.backends.onnx.metadata import Metadata, read_metadata
from cvserve.predictor.backends.onnx.pixel_range import PixelRange, find_pixel_range
from cvserve.predictor.backends.onnx.training import check_mode
from cvserve.predictor.backends.onnx.walk import list_graphs
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.files.file import ModelFile
from cvserve.texts import escape_unprintable

# Domains of operators that ONNX Runtime brings along.
_KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "org.pytorch.aten"})
_CLASS_ATTRIBUTES = ("classlabels_int64s", "classlabels_ints", "classlabels_strings")
_DAMAGED = "holds no whole ONNX graph: it is damaged or cut off; save or copy it again."
# Between the operator that knows the classes and the output "label" there may stand some of these.
_BEHIND_CLASSES = frozenset({"Cast", "Identity", "Reshape", "Squeeze", "Flatten"})
_MAX_SKIPPED = 20


@dataclass(frozen=True, slots=True)
class Graph:
    """A file that holds a graph and all its data.

    Attributes:
        data: to be run: the file's bytes, or the same model with the weights of other files, and without a `ZipMap`
            at its end or inputs that nothing takes.
        labels: of the classes, None when neither the graph nor what stands beside it names them.
        opset: version of the standard operators; 0 when none is declared.
        ir_version: version of the file format.
        producer: what wrote it, e.g. `pytorch 2.9`; may be empty.
        custom_domains: of operators that no runtime brings along.
        parts: name and SHA-256 of each other file that was read.
        metadata: what the exporter wrote beside the graph.
        pixels: that it takes, 0…255 or 0…1; None: it cannot be told.
        top_k: names of outputs that are the best of all scores or their places.
    """

    data: bytes
    labels: tuple[str, ...] | None
    opset: int
    ir_version: int
    producer: str
    custom_domains: tuple[str, ...]
    parts: tuple[tuple[str, str], ...] = ()
    metadata: Metadata = Metadata()
    pixels: PixelRange | None = None
    top_k: frozenset[str] = frozenset()


def read_graph(file: ModelFile) -> Graph:
    """Parse the file, with the weights that it keeps in others; nothing is run.

    Raises:
        ModelFault: damaged, without a graph, with weights that cannot be read, or for another task than to classify.
        Unsafe: everybody may write to a file of weights.
    """
    try:
        model = onnx.ModelProto()
        model.ParseFromString(file.data)
        if not model.graph.node:
            raise ModelFault(_DAMAGED)
        check_mode(model)
        return _read(model, file)
    except (ModelLoadError, Unsafe):
        raise
    except Exception:  # names that are no text, tensors that are not as long as they say, and the like
        raise ModelFault(_DAMAGED) from None


def _read(model: Any, file: ModelFile) -> Graph:
    metadata = read_metadata({entry.key: entry.value for entry in model.metadata_props})
    parts = embed_external_data(model, file.path)
    check_constant_sizes(model.graph)
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    labels = _labels(model.graph)
    changes = [bool(parts), cut_zip_map(model.graph), _cut_unused_inputs(model.graph)]
    return Graph(
        model.SerializeToString() if any(changes) else file.data,
        labels or metadata.labels,
        opsets.get("", opsets.get("ai.onnx", 0)),
        model.ir_version,
        escape_unprintable(f"{model.producer_name} {model.producer_version}".strip()),
        tuple(sorted({node.domain for node in model.graph.node} - _KNOWN_DOMAINS - _own_domains(model))),
        parts,
        metadata,
        find_pixel_range(model.graph),
        _find_top_k(model.graph),
    )


def _labels(graph: Any) -> tuple[str, ...] | None:
    """Names of the classes, from the operator behind one of the outputs (skl2onnx names them there)."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for node in _find_ends(graph, _BEHIND_CLASSES).values():
        if node.op_type == "ArrayFeatureExtractor" and node.input[0] in weights:
            return _texts(onnx.numpy_helper.to_array(weights[node.input[0]]).ravel().tolist())
        for attribute in node.attribute:
            if attribute.name in _CLASS_ATTRIBUTES and (attribute.ints or attribute.strings):
                return _texts(list(attribute.ints) or list(attribute.strings))
    return None


def _find_top_k(graph: Any) -> frozenset[str]:
    """Outputs that come from `TopK`, as values or as indices."""
    ends = _find_ends(graph, _BEHIND_CLASSES | {"Softmax"})
    return frozenset(name for name, node in ends.items() if node.op_type == "TopK")


def _find_ends(graph: Any, skipped: frozenset[str]) -> dict[str, Any]:
    """The operator behind each output that has one, beyond those that are skipped."""
    producers = {output: node for node in graph.node for output in node.output}
    found = {}
    for output in graph.output:
        node = producers.get(output.name)
        # A stranger's graph may go round in circles, which is found only when it is run.
        for _ in range(_MAX_SKIPPED):
            if node is None or node.op_type not in skipped:
                break
            node = producers.get(node.input[0])
        if node is not None:
            found[output.name] = node
    return found


def _texts(classes: list[Any]) -> tuple[str, ...]:
    texts = [entry.decode("utf-8", "replace") if isinstance(entry, bytes) else str(entry) for entry in classes]
    return tuple(escape_unprintable(text) for text in texts)


def cut_zip_map(graph: Any) -> bool:
    """Put what goes into a `ZipMap` in its place among the outputs; whether there was one.

    It makes a dictionary of Python objects for each row, out of the very array that is wanted.
    """
    zip_maps = {node.output[0]: node for node in graph.node if node.op_type == "ZipMap" and node.output and node.input}
    found = [output for output in graph.output if output.name in zip_maps]
    for output in found:
        node = zip_maps[output.name]
        output.CopyFrom(onnx.helper.make_tensor_value_info(node.input[0], onnx.TensorProto.FLOAT, None))
        graph.node.remove(node)
    return bool(found)


def _cut_unused_inputs(graph: Any) -> bool:
    """Drop inputs that no operator takes, which tf2onnx leaves behind; whether there were any."""
    if len(graph.input) == 1:
        return False
    taken: set[str] = set()
    for part in list_graphs(graph):  # graphs of loops and branches take what is outside of them
        taken.update(output.name for output in part.output)
        for node in part.node:
            taken.update(node.input)
    unused = [entry for entry in graph.input if entry.name not in taken]
    for entry in unused:
        graph.input.remove(entry)
    return bool(unused)


def _own_domains(model: Any) -> set[str]:
    """Domains whose operators are written out in the file itself, as functions."""
    return {function.domain for function in model.functions}
