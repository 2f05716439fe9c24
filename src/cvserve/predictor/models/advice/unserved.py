"""Formats that cvserve knows by name only, each with the command that makes of it one that is served.

The commands were run as they are printed: Keras exports only a model that was called once, whichever way it was loaded.
"""

import io
import json
import shlex
import zipfile
from pathlib import Path

from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.formats.kinds import HDF5, KERAS, LITERT, SERVED_FORMATS

# Of the attribute in which Keras keeps the network beside its weights.
_KERAS_NETWORK = b"model_config"
_KERAS_INPUTS = b'"input_layers":'
_MOST_CONFIG_BYTES = 2**26
_MOST_INPUTS_BYTES = 10_000


def explain_unserved(file: ModelFile) -> ModelFault:
    """Say what to do with a file that has no loader.

    Returns:
        The error to raise in `about(file)`.
    """
    if file.kind is HDF5 and _KERAS_NETWORK not in file.data:
        return ModelFault(
            "is an HDF5 file without a network: if these are weights of Keras, build the model, call its "
            f"load_weights({file.path.name!r}), and save it whole: model.save('model.keras')"
        )
    if file.kind in (KERAS, HDF5):
        inputs = _count_inputs(file)
        if inputs > 1:
            return ModelFault(
                f"is {file.kind.title} of a network with {inputs} inputs, and cvserve serves networks whose only input "
                "is a picture."
            )
        return ModelFault(
            f"is {file.kind.title}, which is served as ONNX; make it where Keras is installed (with TensorFlow below "
            f"it also tf2onnx): {_export_keras(file.path)}"
        )
    if file.kind is LITERT:
        made = shlex.quote(str(file.path.with_suffix(".onnx")))
        return ModelFault(
            "is a LiteRT (TensorFlow Lite) model; install the plugin cvserve-litert (examples/litert), or make ONNX of "
            f"it: python -m tf2onnx.convert --tflite {shlex.quote(str(file.path))} --output {made}"
        )
    return ModelFault(f"is {file.kind.title}, and cvserve serves {SERVED_FORMATS}; export it to ONNX.")


def _count_inputs(file: ModelFile) -> int:
    """Inputs of a model of Keras; 1 where its file does not say."""
    try:
        if file.kind is KERAS:
            with zipfile.ZipFile(io.BytesIO(file.data)) as archive, archive.open("config.json") as config:
                text = config.read(_MOST_CONFIG_BYTES)
        else:
            text = file.data
        # Networks that are layers of it come first. In HDF5 the same text stands between other bytes.
        start = text.rindex(_KERAS_INPUTS) + len(_KERAS_INPUTS)
        layers, _ = json.JSONDecoder().raw_decode(text[start : start + _MOST_INPUTS_BYTES].decode("latin-1").lstrip())
    except Exception:  # zipfile raises a dozen kinds on bad bytes
        return 1
    # One input is written ["name", 0, 0] or [["name", 0, 0]]
    is_several = isinstance(layers, dict) or (isinstance(layers, list) and all(isinstance(x, list) for x in layers))
    return len(layers) if is_several else 1


def _export_keras(path: Path) -> str:
    """The command that makes ONNX of a Keras model."""
    code = (
        f"import keras, numpy; model = keras.models.load_model({json.dumps(str(path))}); "
        'model(numpy.zeros((1, *[side or 224 for side in model.input_shape[1:]]), "float32")); '
        f'model.export({json.dumps(str(path.with_suffix(".onnx")))}, format="onnx")'
    )
    return f"python -c {shlex.quote(code)}"
