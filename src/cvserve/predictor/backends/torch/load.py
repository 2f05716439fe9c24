"""PyTorch models that bring their class along: TorchScript and `.pt2` of `torch.export`.

Both are programs: `loading.py` has asked for trust before it comes here.
"""

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cvserve.devices import CPU
from cvserve.predictor.backends.torch.archive import check_whole
from cvserve.predictor.backends.torch.device import choose_placement, move_export
from cvserve.predictor.backends.torch.library import import_torch
from cvserve.predictor.backends.torch.module import make_facts
from cvserve.predictor.backends.torch.training import check_program, export_nodes, script_nodes
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.resolve import ModelFacts
from cvserve.predictor.source import ModelSource


def load_torchscript(file: ModelFile, source: ModelSource) -> ModelFacts:
    """A program of `torch.jit.save`.

    Raises:
        ModelFault: PyTorch is not installed, cannot compute where it should, the file is damaged, or it was traced in
            training mode.
    """
    torch = import_torch()
    placement = choose_placement(torch, source)
    check_whole(file, "torch.jit.save")
    with _silence(), _read_errors(file):
        module = torch.jit.load(io.BytesIO(file.data), map_location="cpu").eval()
    check_program(script_nodes(module))
    return make_facts(placement, placement.place(module))


def load_export(file: ModelFile, source: ModelSource) -> ModelFacts:
    """A program of `torch.export.save`, with the size of its pictures and batches.

    Raises:
        ModelFault: PyTorch is not installed, cannot compute where it should, the file is damaged, or it was exported in
            training mode.
    """
    torch = import_torch()
    placement = choose_placement(torch, source)
    if placement.half:
        raise ModelFault(
            "has its precision in it and cannot be halved; call model.half() before torch.export.export, or leave "
            "--half out."
        )
    check_whole(file, "torch.export.save")
    with _silence(), _read_errors(file):
        program = torch.export.load(io.BytesIO(file.data))
        shape = _input_shape(program)
        if placement.device != CPU:
            program = move_export(torch, program, placement.device)
        module = program.module()
    check_program(export_nodes(program))
    fixed_batch = shape[0] if shape and isinstance(shape[0], int) else None
    return make_facts(placement, module, says=_picture(shape[1:]), fixed_batch=fixed_batch)


def _input_shape(program: Any) -> tuple[Any, ...]:
    """Of the only input; sides that are open are no integers. Empty when there are several inputs."""
    inputs = program.graph_signature.user_inputs
    shapes = {node.name: node.meta["val"].shape for node in program.graph.nodes if node.op == "placeholder"}
    return tuple(shapes[inputs[0]]) if len(inputs) == 1 else ()


def _picture(sides: Sequence[Any]) -> dict[str, Any]:
    """What [C, H, W] or [H, W, C] says of the pictures; nothing where it can be read both ways."""
    if len(sides) != 3:
        return {}
    first, last = (isinstance(side, int) and side in (1, 3) for side in (sides[0], sides[2]))
    if first == last:
        return {}
    channels, height, width = sides if first else (sides[2], sides[0], sides[1])
    says: dict[str, Any] = {"layout": "NCHW" if first else "NHWC"}
    if channels == 1:
        says["mode"] = "L"
    if isinstance(height, int) and isinstance(width, int):
        says["size"] = (width, height)
    return says


@contextmanager
def _silence() -> Iterator[None]:
    """Without PyTorch's own words: that TorchScript is out of fashion, and tracebacks of what cannot be read."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def _read_errors(file: ModelFile) -> Iterator[None]:
    try:
        yield
    except Exception:  # damaged bytes make PyTorch raise whatever they like
        raise ModelFault(
            f"cannot be read as {file.kind.title}: it is damaged, cut off, or made by another "
            "version of PyTorch; save or copy it again."
        ) from None
