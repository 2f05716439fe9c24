"""ONNX Runtime's execution providers: which one a device is reached through, and whether it really came.

ONNX Runtime takes the CPU where a provider does not load, and says so in a log at most. Here that is an error.
"""

import contextlib
import io
import os
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from cvserve.devices import AUTO, CPU, index_of, kind_of
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.source import ModelSource

_CPU_PROVIDER = "CPUExecutionProvider"
_PROVIDERS = {
    CPU: _CPU_PROVIDER,
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
# Each of them brings the module `onnxruntime`, and the one that was installed last overwrites the others.
_DISTRIBUTIONS = {
    CPU: "onnxruntime",
    "cuda": "onnxruntime-gpu",
    "tensorrt": "onnxruntime-gpu",
    "openvino": "onnxruntime-openvino",
}


class Provider(NamedTuple):
    """An execution provider with its options.

    Attributes:
        device: that it computes on, as `ModelInfo.device` has it.
        names: of the providers in the order in which nodes are offered to them, each with its options; the CPU is
            the last, for nodes that no other takes.
        half: whether it computes in float16 what the file has in float32.
    """

    device: str = CPU
    names: tuple[tuple[str, dict[str, Any]], ...] = ((_CPU_PROVIDER, {}),)
    half: bool = False

    @property
    def name(self) -> str:
        """The provider that was asked for."""
        return self.names[0][0]


def choose_provider(library: Any, source: ModelSource) -> Provider:
    """The provider that was asked for.

    Args:
        library: `onnxruntime`.
        source: its `device` and `half`. `auto` is CUDA where the library and the machine have it, else the CPU.

    Raises:
        ModelFault: ONNX Runtime, as it is installed, has no such provider, or it has no half precision.
    """
    available = library.get_available_providers()
    asked = _find_auto(available) if source.device == AUTO else source.device
    kind = kind_of(asked)
    if kind not in _PROVIDERS:
        raise ModelFault(f"cannot compute on {asked}, which runs PyTorch models; use --device cpu")
    if _PROVIDERS[kind] not in available:
        raise ModelFault(f"cannot compute on {asked}: {_describe_missing(library, kind)}")
    if source.half and kind != "tensorrt":
        raise ModelFault(
            f"has its precision in the file, which ONNX Runtime keeps on {asked}; export it in float16, or leave "
            "--half out."
        )
    return _make_provider(kind, index_of(asked), half=source.half)


def check_loaded(session: Any, provider: Provider) -> str:
    """Whether a session has the provider that it was opened with, and how much of the graph runs there.

    Args:
        session: of ONNX Runtime.
        provider: that was asked for.

    Returns:
        For people: `CUDA, 41 of 43 nodes`; empty on the CPU.

    Raises:
        ModelFault: ONNX Runtime has taken the CPU instead.
    """
    if provider.device == CPU:
        return ""
    title = provider.name.removesuffix("ExecutionProvider")
    if provider.name not in session.get_providers():
        raise ModelFault(
            f"cannot compute on {provider.device}: ONNX Runtime did not load {provider.name} and would take the CPU "
            "instead; its libraries or the device are missing, or do not fit the version of ONNX Runtime; use --device "
            "cpu, or see docs/devices.md."
        )
    counts = _count_nodes(session)
    if counts and not counts.get(provider.name):
        raise ModelFault(
            f"cannot compute on {provider.device}: {title} takes none of its {sum(counts.values())} nodes; use "
            "--device cpu"
        )
    return f"{title}, {counts[provider.name]} of {sum(counts.values())} nodes" if counts else title


def _find_auto(available: list[str]) -> str:
    """`cuda` where both library and machine have it, else `cpu`; one library that lies over another is told."""
    if not _has_nvidia():
        return CPU
    if _PROVIDERS["cuda"] in available:
        return "cuda"
    if {"onnxruntime", "onnxruntime-gpu"} <= set(_find_installed()):
        warnings.warn(f"ONNX models run on the CPU: {_describe_clash('cuda')}", stacklevel=2)
    return CPU


def _has_nvidia() -> bool:
    """Whether a GPU of NVIDIA's can be seen from here: its device file, or that of Windows' Linux."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()


def _make_provider(kind: str, index: int, *, half: bool) -> Provider:
    if kind == CPU:
        return Provider()
    last: tuple[str, dict[str, Any]] = (_CPU_PROVIDER, {})
    if kind == "openvino":  # it would take bfloat16 where the CPU is fast with it; nobody asked for that
        return Provider(kind, ((_PROVIDERS[kind], {"precision": "ACCURACY"}), last))
    # The library's own default tries every algorithm for each new size of a batch, which takes seconds.
    cuda = (_PROVIDERS["cuda"], {"device_id": str(index), "cudnn_conv_algo_search": "HEURISTIC"})
    if kind == "cuda":
        return Provider(f"cuda:{index}", (cuda, last))
    tensorrt = (_PROVIDERS[kind], {"device_id": str(index), "trt_fp16_enable": str(half)})
    return Provider(f"tensorrt:{index}", (tensorrt, cuda, last), half)


def preload(library: Any, provider: Provider) -> None:
    """Load what NVIDIA's packages bring, so that ONNX Runtime finds it without being told where it is."""
    if kind_of(provider.device) in ("cuda", "tensorrt") and hasattr(library, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):  # it prints advice; what is missing is found by `check_loaded`
            library.preload_dlls()


def _count_nodes(session: Any) -> dict[str, int]:
    """Nodes of the graph by provider; empty where this version of ONNX Runtime does not tell."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return {}
    counts: dict[str, int] = {}
    for part in session.get_provider_graph_assignment_info():
        counts[part.ep_name] = counts.get(part.ep_name, 0) + len(part.get_nodes())
    return counts


def _describe_missing(library: Any, kind: str) -> str:
    """Why a provider is not there, and what to type."""
    wanted = _DISTRIBUTIONS[kind]
    installed = _find_installed()
    if wanted in installed and len(installed) > 1:
        return _describe_clash(kind)
    has = ", ".join(name.removesuffix("ExecutionProvider") for name in library.get_available_providers())
    uninstall = f"pip uninstall -y {' '.join(installed)} && " if installed else ""
    return (
        f"the ONNX Runtime that is installed, {library.__version__}, has {has} and no {_PROVIDERS[kind]}; use "
        f"--device cpu, or run: {uninstall}pip install {wanted}"
    )


def _describe_clash(kind: str) -> str:
    installed, wanted = _find_installed(), _DISTRIBUTIONS[kind]
    return (
        f"{' and '.join(installed)} are both installed, and each overwrites the other's files; run: pip uninstall -y "
        f"{' '.join(installed)} && pip install {wanted}"
    )


def _find_installed() -> list[str]:
    """The distributions of ONNX Runtime that are installed, by name."""
    found = metadata.packages_distributions().get("onnxruntime", [])
    return sorted(set(found))
