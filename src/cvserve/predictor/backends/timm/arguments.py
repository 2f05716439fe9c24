"""Arguments of `timm.create_model` that are not given to it by what stands beside a model."""

_OF_WEIGHTS = ("pretrained", "checkpoint", "cache_dir")


def reads_weights(argument: str) -> bool:
    """Whether it makes timm read weights from elsewhere, or fetch them, as `checkpoint_path` does."""
    return argument.startswith(_OF_WEIGHTS)
