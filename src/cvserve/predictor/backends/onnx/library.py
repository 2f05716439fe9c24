"""The package onnx, which reads files; whoever has not installed it hears what to install."""

from cvserve.predictor.models.library import import_library

onnx = import_library("onnx", "onnx")
