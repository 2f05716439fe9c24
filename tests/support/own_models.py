"""Python files with models, as users write them; what they answer is known beforehand."""

BRIGHTNESS = '''"""Dark or light, by the mean grey level."""
import numpy as np
from cvserve import Predictor


class Brightness(Predictor):
    labels = ("dark", "light")
    scores = "probabilities"

    def setup(self):
        self.middle = 128.0

    def preprocess(self, image):
        return np.asarray(image.convert("L"), dtype=np.float32).mean(keepdims=True).reshape(1)

    def infer(self, batch):
        light = (batch[:, 0] >= self.middle) * 0.5 + 0.25
        return np.stack([1 - light, light], axis=1)
'''

PLAIN = '''"""No import of cvserve: an object with `infer` is enough."""


class Plain:
    labels = ["dark", "light"]

    def infer(self, batch):
        light = batch.reshape(len(batch), -1).mean(axis=1)
        return [[1 - value, value] for value in light.tolist()]
'''

SIZE = '[input]\nsize = [4, 4]\nmode = "L"\nresize = "stretch"\nscale = 0.00392156862745098\n'
