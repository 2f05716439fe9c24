"""Small models, written by LiteRT's own schema: scores are the values of a picture times some weights."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

TYPES = {"float32": schema.TensorType.FLOAT32, "int8": schema.TensorType.INT8, "int32": schema.TensorType.INT32}


def linear(shape, weights, *, step=0.0, zero_point=0):
    """A model that gives the soft-max of values times weights.

    Args:
        shape: of the pictures, the batch first.
        weights: float [classes, values].
        step: of the quantised input; 0: float.
        zero_point: of the quantised input.
    """
    kind = "int8" if step else "float32"
    of_weights = float(np.abs(weights).max() / 127)
    of_sums = 0.1
    made = (weights / of_weights).round().astype(np.int8) if step else weights.astype(np.float32)
    classes = len(weights)
    buffers = [b"", made.tobytes(), np.zeros(classes, np.int32 if step else np.float32).tobytes()]
    tensors = [
        _tensor("pixels", shape, kind, 0, step, zero_point),
        _tensor("weights", weights.shape, kind, 1, step and of_weights, 0),
        _tensor("bias", (classes,), "int32" if step else "float32", 2, step * of_weights, 0),
        _tensor("sums", (shape[0], classes), kind, 0, step and of_sums, 0),
        _tensor("scores", (shape[0], classes), kind, 0, step and 1 / 256, -128),
    ]
    operators = [_operator(0, [0, 1, 2], 3, "FullyConnected"), _operator(1, [3], 4, "Softmax", beta=1.0)]
    return _write(buffers, tensors, operators)


def _tensor(name, shape, kind, buffer, step, zero_point):
    made = schema.TensorT(name=name, shape=list(shape), type=TYPES[kind], buffer=buffer)
    if step:
        made.quantization = schema.QuantizationParametersT(scale=[step], zeroPoint=[zero_point])
    return made


def _operator(code, inputs, output, options, **values):
    return schema.OperatorT(
        opcodeIndex=code,
        inputs=inputs,
        outputs=[output],
        builtinOptionsType=getattr(schema.BuiltinOptions, f"{options}Options"),
        builtinOptions=getattr(schema, f"{options}OptionsT")(**values),
    )


def _write(buffers, tensors, operators):
    codes = [schema.BuiltinOperator.FULLY_CONNECTED, schema.BuiltinOperator.SOFTMAX]
    model = schema.ModelT(
        version=3,
        operatorCodes=[
            schema.OperatorCodeT(builtinCode=code, deprecatedBuiltinCode=code, version=4 if code == 9 else 2)
            for code in codes
        ],
        subgraphs=[schema.SubGraphT(tensors=tensors, inputs=[0], outputs=[4], operators=operators)],
        buffers=[schema.BufferT(data=np.frombuffer(data, np.uint8) if data else None) for data in buffers],
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
