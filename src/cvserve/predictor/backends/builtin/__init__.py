"""The model that ships with cvserve: it reads one handwritten or printed digit from a real picture."""

from cvserve.predictor.backends.builtin.digits import forward, infer
from cvserve.predictor.backends.builtin.preparation import FEATURES, SOURCE_SIDE_PX, prepare

__all__ = ["FEATURES", "SOURCE_SIDE_PX", "forward", "infer", "prepare"]
