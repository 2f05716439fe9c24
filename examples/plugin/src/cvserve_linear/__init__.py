"""Linear models as JSON: a format that anybody can read, and how cvserve serves it."""

from cvserve_linear.backend import LinearBackend
from cvserve_linear.format import dump, plugin

__all__ = ["LinearBackend", "dump", "plugin"]
