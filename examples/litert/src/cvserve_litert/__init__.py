"""LiteRT models, which were called TensorFlow Lite, and how cvserve serves them."""

from cvserve_litert.format import plugin

__all__ = ["plugin"]
