import pytest


@pytest.fixture(autouse=True)
def config_home(tmp_path, monkeypatch):
    folder = tmp_path / "config-home"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    return folder
