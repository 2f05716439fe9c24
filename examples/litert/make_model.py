"""Makes a small classifier with TensorFlow, quantised and with names, and a picture, for the README.

It is trained on nothing: it tells what is lighter above from what is lighter below.
"""

import io
import zipfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

SIDE_PX = 32


def main() -> None:
    """Write `halves.tflite` and `sky.png`."""
    rows = np.linspace(1, -1, SIDE_PX).repeat(SIDE_PX * 3).astype(np.float32) / SIDE_PX**2
    network = tf.keras.Sequential(
        [
            tf.keras.Input((SIDE_PX, SIDE_PX, 3)),
            tf.keras.layers.Flatten(),
            tf.keras.layers.Dense(2, use_bias=False),
            tf.keras.layers.Softmax(),
        ]
    )
    network.layers[1].set_weights([np.stack([rows, -rows], axis=1) * 2])
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = pictures
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    Path("halves.tflite").write_bytes(with_labels(converter.convert(), ["light above", "light below"]))
    sky = np.linspace(255, 0, SIDE_PX).repeat(SIDE_PX * 3).reshape(SIDE_PX, SIDE_PX, 3)
    Image.fromarray(sky.astype(np.uint8)).save("sky.png")


def pictures():
    """Pictures from black to white, by which the converter finds its scales."""
    random = np.random.default_rng(1)
    for _ in range(50):
        picture = random.random((1, SIDE_PX, SIDE_PX, 3), dtype=np.float32) * np.linspace(0, 1, SIDE_PX)[:, None, None]
        picture[0, 0, 0], picture[0, -1, -1] = 0, 1
        yield [picture.astype(np.float32)]


def with_labels(model: bytes, labels: list[str]) -> bytes:
    """A model with the names of its classes in an archive behind it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("labels.txt", "\n".join(labels))
    return model + stream.getvalue()


if __name__ == "__main__":
    main()
