"""The package onnx, which reads files; whoever has not installed it hears what to install."""

from cvserve.predictor.models.fault import ModelFault

try:
    import onnx
except ImportError:
    raise ModelFault(
        "needs the package onnx, which cannot be imported here; run: pip install 'cvserve[onnx]'"
    ) from None

__all__ = ["onnx"]
