"""A setting says who may set it, or there is no such setting."""

import pytest

from cvserve.setting_field import Reach, setting
from cvserve.settings import FIELDS


def test_each_setting_declares_its_reach() -> None:
    assert [name for name, field in FIELDS.items() if not isinstance(field.metadata["reach"], Reach)] == []
    with pytest.raises(TypeError, match="reach"):
        setting(1, "A number.")  # type: ignore[call-arg]
