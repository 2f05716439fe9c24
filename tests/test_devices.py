"""Names of devices: which there are, and what is in them."""

import pytest

from cvserve.devices import computes_beside, index_of, is_device_name, kind_of, parse_device


@pytest.mark.parametrize("name", ["auto", "cpu", "cuda", "cuda:0", "cuda:15", "mps", "openvino", "tensorrt:1"])
def test_a_device_is_called_by_its_name(name: str) -> None:
    assert parse_device(name) == name


@pytest.mark.parametrize(
    "text", ["", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:a", "cuda:1000", "cpu:1", "mps:0", " cpu"]
)
def test_another_name_is_refused_with_those_that_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="give auto, cpu, cuda, mps, openvino or tensorrt; a second GPU is cuda:1"):
        parse_device(text)


def test_a_name_says_kind_and_number() -> None:
    assert (kind_of("cuda:1"), index_of("cuda:1")) == ("cuda", 1)
    assert (kind_of("cuda"), index_of("cuda")) == ("cuda", 0)


def test_whatever_is_no_cpu_computes_beside_it() -> None:
    assert not computes_beside("cpu")
    assert all(map(computes_beside, ("cuda:0", "mps", "npu")))


def test_a_class_may_mean_devices_that_have_no_option() -> None:
    assert is_device_name("npu:3")
    assert not is_device_name("The camera in the hall")
