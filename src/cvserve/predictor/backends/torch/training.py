"""Programs of PyTorch that were saved in training mode: there `eval()` comes too late."""

from collections.abc import Iterator
from typing import Any

from cvserve.predictor.models.fault import ModelFault

# Position of the argument `training` of operators that do something else in training
_TRAINING_ARGUMENT = {
    "batch_norm": 5,
    "_native_batch_norm_legit": 5,
    "_native_batch_norm_legit_functional": 5,
    "native_batch_norm": 5,
    "dropout": 2,
    "feature_dropout": 2,
    "alpha_dropout": 2,
    "native_dropout": 2,
}


def check_program(nodes: Iterator[tuple[str, list[Any]]]) -> None:
    """Refuse a program that was saved in training mode.

    Args:
        nodes: of each operator its name, without namespace and overload, and its arguments; what is not constant
            may be anything but True.

    Raises:
        ModelFault: an operator is in training mode.
    """
    for name, arguments in nodes:
        place = _TRAINING_ARGUMENT.get(name)
        if place is not None and len(arguments) > place and arguments[place] is True:
            raise ModelFault(
                "was exported in training mode, in which answers depend on chance and on company; call "
                "model.eval() before it is exported and save it again."
            )


def export_nodes(program: Any) -> Iterator[tuple[str, list[Any]]]:
    """The operators of a program of `torch.export`, for `check_program`."""
    for node in program.graph.nodes:
        if node.op == "call_function":
            yield str(node.target).removeprefix("aten.").partition(".")[0], list(node.args)


def script_nodes(module: Any) -> Iterator[tuple[str, list[Any]]]:
    """The operators of TorchScript, for `check_program`; a mode that `eval()` can still change is no constant there."""
    graph = module.inlined_graph  # its nodes live no longer than it
    for name in _TRAINING_ARGUMENT:
        for node in graph.findAllNodes(f"aten::{name}"):
            yield name, [value.toIValue() for value in node.inputs()]
