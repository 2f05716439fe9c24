import pytest

from cvserve.model_name import class_reference


@pytest.mark.parametrize(
    ("text", "halves"),
    [
        ("my_model.py:MaskModel", ("my_model.py", "MaskModel")),
        ("/a folder/v1:2/my_model.py:Größe", ("/a folder/v1:2/my_model.py", "Größe")),
        ("package.module:MaskModel", ("package.module", "MaskModel")),
        ("module:_M1", ("module", "_M1")),
        ("model.pkl", None),
        ("models/v1:2.skops", None),
        ("models/v1:2", None),
        ("../package.module:M", None),
        ("my_model.py:", None),
        (":M", None),
        ("my_model.py", None),
        ("my_model.py:a.b", None),
        ("timm:resnet18.a1_in1k", ("timm", "resnet18.a1_in1k")),
    ],
)
def test_a_class_is_named_by_its_file_or_its_module(text: str, halves: tuple[str, str] | None) -> None:
    assert class_reference(text) == halves
