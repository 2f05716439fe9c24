"""What scripts of training write into a checkpoint beside its weights, by name. None of it is imported or made."""

# Of timm and torchvision (arguments), of most scripts (a best metric and states of random numbers by NumPy, paths,
# dates), of fastai (a list) and of MMEngine (its log): an empty stand-in takes their place.
STOOD_IN = (
    "argparse.Namespace",
    "datetime.datetime",
    "datetime.timedelta",
    "fastcore.foundation.L",
    "mmengine.logging.history_buffer.HistoryBuffer",
    "numpy.dtype",
    "numpy.ndarray",
    *(
        f"{package}.{name}"
        for package in ("numpy.core", "numpy._core")
        for name in ("multiarray.scalar", "multiarray._reconstruct", "numeric._frombuffer")
    ),
    *(
        f"{module}.{name}"
        for module in ("pathlib", "pathlib._local")
        for name in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
    ),
    *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in ("dict", "float", "int", "list")),
)
# Dictionaries with something added, which may have the weights in them: read as plain ones.
DICTIONARIES = (
    "collections.defaultdict",
    "lightning.fabric.utilities.data.AttributeDict",
    "lightning.pytorch.utilities.parsing.AttributeDict",
    "lightning_fabric.utilities.data.AttributeDict",
    "pytorch_lightning.utilities.parsing.AttributeDict",
)
