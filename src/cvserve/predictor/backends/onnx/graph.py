"""What an ONNX file says before anything runs it: versions, where its data is, its outputs, names of classes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cvserve.predictor.backends.onnx.training import check_mode
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.file import ModelFile
from cvserve.texts import escape_unprintable

try:
    import onnx
except ImportError:
    raise ModelFault(
        "needs the package onnx, which cannot be imported here; run: pip install 'cvserve[onnx]'"
    ) from None

# Domains of operators that ONNX Runtime brings along.
_KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "org.pytorch.aten"})
_CLASS_ATTRIBUTES = ("classlabels_int64s", "classlabels_ints", "classlabels_strings")
_DAMAGED = "holds no whole ONNX graph: it is damaged or cut off; save or copy it again."
# Between the operator that knows the classes and the output "label" there may stand some of these.
_PASS_ON = frozenset({"Cast", "Identity", "Reshape", "Squeeze", "Flatten"})


@dataclass(frozen=True, slots=True)
class Graph:
    """A file that holds a graph and all its data.

    Attributes:
        data: to be run: the file's bytes, or the same model without a `ZipMap` at its end.
        labels: of the classes, None when the graph does not name them.
        opset: version of the standard operators; 0 when none is declared.
        ir_version: version of the file format.
        producer: what wrote it, e.g. `pytorch 2.9`; may be empty.
        custom_domains: of operators that no runtime brings along.
    """

    data: bytes
    labels: tuple[str, ...] | None
    opset: int
    ir_version: int
    producer: str
    custom_domains: tuple[str, ...]


def read_graph(file: ModelFile) -> Graph:
    """Parse the file; nothing is run.

    Raises:
        ModelFault: damaged, without a graph, or with data in other files.
    """
    try:
        model = onnx.ModelProto()
        model.ParseFromString(file.data)
        if not model.graph.node:
            raise ModelFault(_DAMAGED)
        _refuse_external_data(model, file.path.name)
        check_mode(model)
        return _read(model, file.data)
    except ModelFault:
        raise
    except Exception:  # names that are no text, tensors that are not as long as they say, and the like
        raise ModelFault(_DAMAGED) from None


def _read(model: Any, data: bytes) -> Graph:
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    labels = _labels(model.graph)
    is_cut = cut_zip_map(model.graph)
    return Graph(
        model.SerializeToString() if is_cut else data,
        labels,
        opsets.get("", opsets.get("ai.onnx", 0)),
        model.ir_version,
        escape_unprintable(f"{model.producer_name} {model.producer_version}".strip()),
        tuple(sorted({node.domain for node in model.graph.node} - _KNOWN_DOMAINS - _own_domains(model))),
    )


def _refuse_external_data(model: Any, name: str) -> None:
    """A path in a stranger's file would be opened wherever the server happens to run."""
    for tensor in _tensors(model):
        if tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ModelFault(
                "keeps its weights in another file, which is not read; export it with external_data=False "
                f'(PyTorch), or save it as one file: onnx.save(onnx.load("{name}"), "whole.onnx")'
            )


def _tensors(message: Any) -> Iterator[Any]:
    """Every tensor, wherever it is: weights, constants in operators, inner graphs, functions."""
    todo = [message]
    while todo:
        item = todo.pop()
        if isinstance(item, onnx.TensorProto):
            yield item
            continue
        for field, value in item.ListFields():
            if field.message_type is not None:
                todo.extend([value] if hasattr(value, "ListFields") else value)


def _labels(graph: Any) -> tuple[str, ...] | None:
    """Names of the classes, from the operator behind one of the outputs (skl2onnx names them there)."""
    producers = {output: node for node in graph.node for output in node.output}
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for output in graph.output:
        node = producers.get(output.name)
        while node is not None and node.op_type in _PASS_ON:
            node = producers.get(node.input[0])
        if node is None:
            continue
        if node.op_type == "ArrayFeatureExtractor" and node.input[0] in weights:
            return _texts(onnx.numpy_helper.to_array(weights[node.input[0]]).ravel().tolist())
        for attribute in node.attribute:
            if attribute.name in _CLASS_ATTRIBUTES and (attribute.ints or attribute.strings):
                return _texts(list(attribute.ints) or list(attribute.strings))
    return None


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


def _own_domains(model: Any) -> set[str]:
    """Domains whose operators are written out in the file itself, as functions."""
    return {function.domain for function in model.functions}
