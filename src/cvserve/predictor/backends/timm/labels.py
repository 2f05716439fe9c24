"""Names of the classes of ImageNet, out of the lists that timm brings along."""

from collections import Counter
from typing import Any

from timm.data import ImageNetInfo, infer_imagenet_subset


def find_labels(module: Any) -> tuple[str, ...] | None:
    """Names of the classes that a model of timm was made for; None where they are not those of a list of ImageNet.

    Args:
        module: of `timm.create_model`.
    """
    count = getattr(module, "num_classes", None)
    subset = infer_imagenet_subset(module)
    if subset is None or count != module.pretrained_cfg.get("num_classes"):
        return None
    info = ImageNetInfo(subset)
    words, synsets = info.label_descriptions(), info.label_names()
    uses = Counter(words)
    # ImageNet has two classes "crane", a bird and a machine.
    return tuple(f"{word} ({synset})" if uses[word] > 1 else word for word, synset in zip(words, synsets, strict=True))
