"""Nothing runs without trust: hostile files under every name, each first shown to be alive."""

import hashlib
import io
import json
import os
import pickle
import pwd
import shutil
import stat
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from cvserve.errors import CvserveError, ModelLoadError, Unsafe, UntrustedModel
from cvserve.predictor.models.code.trust import is_trusted, record
from cvserve.predictor.models.files.pickle_scan import scan_pickle
from support.command import cvserve
from support.models import load_model
from support.trusted import store_path

SHA = "ab" * 32


class Calls:
    """Pickles into a call of `function`."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


class Hidden(dict[str, Any]):
    """A harmless dict with a call inside of its state."""

    state: Calls


def packed(thing: object, compress: int | tuple[str, int] = 0) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(thing, buffer, compress=compress)
    return buffer.getvalue()


def zipped(**members: bytes | str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_dot_", "."), data)
    return buffer.getvalue()


def hostile(canary: Path | str) -> dict[str, bytes]:
    """Files, each of which makes `canary` when it is loaded as its maker meant it."""
    touch = Calls(os.system, f"touch {canary}")
    make = Calls(os.mkdir, str(canary))
    run = Calls(exec, f"open({str(canary)!r}, 'w').close()")
    nested = Calls(getattr, Calls(os.mkdir, str(canary)), "name")
    hidden = Hidden(a=[{"b": (touch,)}])
    hidden.state = make
    files = {f"system-{protocol}": pickle.dumps(touch, protocol) for protocol in range(6)}
    files |= {f"joblib-{name}": packed(touch, (name, 3)) for name in ("zlib", "gzip", "bz2", "xz", "lzma")}
    return files | {
        "mkdir": pickle.dumps(make),
        "exec": pickle.dumps(run),
        "popen": pickle.dumps(Calls(subprocess.call, ["touch", str(canary)])),
        "nested": pickle.dumps(nested),
        "hidden": pickle.dumps(hidden),
        "behind-arrays": packed([np.arange(1000.0), np.ones((3, 4), dtype=np.float32), touch]),
        "in-object-array": packed(np.array([1, touch], dtype=object)),
        "by-hand": f"cos\nsystem\n(S'touch {canary}'\ntR.".encode(),
        "inst": f"(S'touch {canary}'\nios\nsystem\n.".encode(),
    }


NAMES = sorted(hostile("x"))
SUFFIXES = [".pkl", ".joblib", ".skops", ".onnx", ".pt", "", ".model"]


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_hostile_file_runs_without_trust(tmp_path: Path, canary: Path, name: str, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(hostile(canary)[name])
    with pytest.raises(ModelLoadError) as caught:
        load_model(path)
    assert not canary.exists()
    assert caught.value.exit_code == 5
    if suffix in (".pkl", ".joblib", "", ".model"):
        assert isinstance(caught.value, UntrustedModel)


@pytest.mark.parametrize("name", NAMES)
def test_every_hostile_file_is_alive(tmp_path: Path, canary: Path, name: str) -> None:
    """Without this the test above could pass because the files are broken."""
    path = tmp_path / "model.pkl"
    path.write_bytes(hostile(canary)[name])
    with pytest.raises(ModelLoadError):  # what they make is no model
        load_model(path, trust=True)
    assert canary.exists()


@pytest.mark.parametrize("name", NAMES)
def test_what_a_hostile_file_would_import_is_found_without_running_it(canary: Path, name: str) -> None:
    found = scan_pickle(hostile(canary)[name])
    assert not canary.exists()
    assert found.complete
    modules = ("posix.system", "nt.system", "os.system", "posix.mkdir", "nt.mkdir", "builtins.exec", "subprocess.call")
    assert any(seen in modules for seen in found.names), found.names


@pytest.mark.parametrize("name", NAMES)
def test_a_pickle_in_a_skops_archive_is_never_unpickled(tmp_path: Path, canary: Path, name: str) -> None:
    data = hostile(canary)[name]
    path = tmp_path / "model.skops"
    for schema in ("{}", '{"__loader__": "ObjectNode", "__class__": "a", "__module__": "b", "protocol": 2}', "x"):
        path.write_bytes(zipped(schema_dot_json=schema, data_dot_pkl=data, model_dot_pkl=data))
        with pytest.raises(ModelLoadError):
            load_model(path, trust=True)
    assert not canary.exists()


def test_a_computed_import_is_not_hidden() -> None:
    """A name that is made while the pickle runs cannot be shown, so it must be said that there is more."""
    stream = pickle.PROTO + b"\x04" + b"\x8c\x02os" + b"N" + pickle.STACK_GLOBAL + b"."
    assert scan_pickle(stream) == ((), False)
    assert not scan_pickle(pickle.dumps(Calls(os.system, "x"))[:-3]).complete
    assert not scan_pickle(packed(np.arange(10.0), 3)[:-5]).complete
    assert not scan_pickle(b"\x04\x22\x4d\x18" + bytes(9)).complete


def test_names_from_a_stranger_are_safe_to_print() -> None:
    found = scan_pickle(b"cos\n\x1b[2Jsystem\n.")
    assert found.names == ("os.\\x1b[2Jsystem",)


@pytest.fixture
def pickled(tmp_path: Path, logistic: Any) -> tuple[Path, str]:
    path = tmp_path / "my model.pkl"
    path.write_bytes(pickle.dumps(logistic))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_refusal_has_all_that_is_needed_to_decide(pickled: tuple[Path, str]) -> None:
    path, sha256 = pickled
    with pytest.raises(UntrustedModel) as caught:
        load_model(path)
    text = str(caught.value)
    assert f"{path.stat().st_size:,} bytes" in text
    assert "sklearn.linear_model._logistic.LogisticRegression" in text
    assert f"cvserve model trust '{path}' --sha256 {sha256}" in text
    assert caught.value.sha256 == sha256


def test_what_a_program_of_torchscript_defines_itself_is_no_import(tmp_path: Path) -> None:
    """A program of 30 layers would fill the screen; elsewhere a name like these is imported as any other."""
    stream = b"c__torch__.nn.___torch_mangle_3\nReLU\n0c__torch__x\nrun\n0cposix\nsystem\n."
    program = tmp_path / "program.pt"
    program.write_bytes(zipped(**{"m/data.pkl": stream, "m/code/__torch__.py": b"", "m/version": b"3"}))
    plain = tmp_path / "plain.pkl"
    plain.write_bytes(stream)
    for path, imports in (
        (program, "__torch__x.run, posix.system"),
        (plain, "__torch__.nn.___torch_mangle_3.ReLU, __torch__x.run, posix.system"),
    ):
        with pytest.raises(UntrustedModel, match=f"imports {imports}[.] If"):
            load_model(path)
        table = cvserve("model", "inspect", str(path)).out
        assert ("ReLU" in table, "posix.system" in table) == (path == plain, True)


def test_trust_by_argument_by_hash_and_by_record(pickled: tuple[Path, str]) -> None:
    path, sha256 = pickled
    assert load_model(path, trust=True).info.sha256 == sha256
    assert load_model(path, sha256=sha256).info.version == sha256[:12]
    with pytest.raises(UntrustedModel):
        load_model(path)
    record(sha256, path, path.stat().st_size, "test")
    assert load_model(path).info.sha256 == sha256


def test_a_trusted_file_that_was_changed_is_refused(pickled: tuple[Path, str], canary: Path) -> None:
    path, sha256 = pickled
    record(sha256, path, 1)
    path.write_bytes(hostile(canary)["mkdir"])
    with pytest.raises(UntrustedModel):
        load_model(path)
    with pytest.raises(ModelLoadError, match=sha256):
        load_model(path, sha256=sha256)
    with pytest.raises(ModelLoadError, match=sha256):
        load_model(path, sha256=sha256, trust=True)
    assert not canary.exists()


def test_the_hash_is_checked_for_harmless_formats_too(skops_file: Path) -> None:
    with pytest.raises(ModelLoadError, match="0000"):
        load_model(skops_file, sha256="0" * 64)


@pytest.mark.parametrize("settings", ["model.toml", "cvserve.toml", ".env"])
def test_a_record_that_came_with_the_model_is_not_believed(
    home: Path, config_home: Path, monkeypatch: pytest.MonkeyPatch, settings: str
) -> None:
    path = home / "m.pkl" if settings == "model.toml" else home / "model" / "m.pkl"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps({}))
    (home / settings).write_text("")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    record(sha256, path, 1)
    assert is_trusted(sha256, path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    shutil.copytree(config_home, home / ".config")
    with pytest.raises(Unsafe, match="set XDG_CONFIG_HOME to a folder outside of"):
        load_model(path)
    with pytest.raises(Unsafe, match="set XDG_CONFIG_HOME to a folder outside of"):
        record(sha256, path, 1)


def test_a_model_in_the_users_real_home_is_trusted_as_ever(
    home: Path, config_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = pwd.struct_passwd(("me", "x", os.geteuid(), 0, "", str(home), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: entry)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    record(SHA, home / "m.pkl", 1)
    assert is_trusted(SHA, home / "m.pkl")
    assert not config_home.exists()


def test_a_record_says_what_when_and_who(tmp_path: Path, config_home: Path) -> None:
    record(SHA, tmp_path / "m.pkl", 123, "a note")
    entry = json.loads((config_home / "cvserve" / "trust.json").read_text())[SHA]
    assert entry["path"] == str(tmp_path / "m.pkl")
    assert (entry["size"], entry["note"]) == (123, "a note")
    assert set(entry) == {"path", "size", "who", "when", "note"}
    assert is_trusted(SHA)
    assert not is_trusted("cd" * 32)


def test_the_store_is_private_and_leaves_nothing_beside(config_home: Path) -> None:
    for number in range(3):
        record(f"{number:064x}", "m.pkl", 1)
    store = store_path()
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.parent.stat().st_mode) == 0o700
    assert os.listdir(store.parent) == ["trust.json"]
    assert all(is_trusted(f"{number:064x}") for number in range(3))


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_store_that_others_may_write_is_unsafe(mode: int) -> None:
    record(SHA, "m.pkl", 1)
    store_path().chmod(mode)
    with pytest.raises(Unsafe, match="Others may write") as caught:
        is_trusted(SHA)
    assert caught.value.exit_code == 4
    with pytest.raises(Unsafe, match="chmod go-w"):
        record("cd" * 32, "m.pkl", 1)


def test_a_folder_that_others_may_write_is_unsafe() -> None:
    record(SHA, "m.pkl", 1)
    store_path().parent.chmod(0o777)
    with pytest.raises(Unsafe, match="Others may write"):
        is_trusted(SHA)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_store_of_somebody_else_is_unsafe() -> None:
    record(SHA, "m.pkl", 1)
    os.chown(store_path(), 12345, 12345)
    with pytest.raises(Unsafe, match="belongs to user 12345"):
        is_trusted(SHA)


def test_a_linked_store_is_unsafe(tmp_path: Path) -> None:
    record(SHA, "m.pkl", 1)
    shutil.move(store_path(), tmp_path / "elsewhere.json")
    store_path().symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(Unsafe, match="cannot be opened"):
        is_trusted(SHA)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "\xff"])
def test_a_damaged_store_trusts_nothing_and_is_not_overwritten(text: str) -> None:
    record(SHA, "m.pkl", 1)
    store_path().write_bytes(text.encode("latin-1"))
    with pytest.raises(Unsafe, match="is damaged"):
        is_trusted(SHA)
    with pytest.raises(Unsafe, match="is damaged"):
        record("cd" * 32, "m.pkl", 1)
    assert store_path().read_bytes() == text.encode("latin-1")


def test_a_store_is_a_file(config_home: Path) -> None:
    store_path().mkdir(parents=True)
    store_path().parent.chmod(0o700)
    with pytest.raises(Unsafe, match="is not a file"):
        is_trusted(SHA)


def test_without_a_store_nothing_is_trusted(config_home: Path) -> None:
    assert not is_trusted(SHA)
    assert not config_home.exists()


def test_a_store_that_cannot_be_written_says_so(config_home: Path) -> None:
    config_home.write_text("a file where a folder should be")
    with pytest.raises(Unsafe, match="cannot be written"):
        record(SHA, "m.pkl", 1)


def test_the_store_is_in_the_users_folder_whatever_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for value in ("", "relative/path"):
        monkeypatch.setenv("XDG_CONFIG_HOME", value)
        record(SHA, tmp_path / "models" / "m.pkl", 1)
        store = tmp_path / "home" / ".config" / "cvserve" / "trust.json"
        assert SHA in store.read_text()
        store.unlink()


def test_all_errors_are_ours(tmp_path: Path) -> None:
    """Bytes cut anywhere: never a traceback of a library."""
    whole = packed([np.arange(100.0), {"a": 1}])
    path = tmp_path / "m.joblib"
    for end in range(1, len(whole), 7):
        path.write_bytes(whole[:end])
        with pytest.raises(CvserveError):
            load_model(path, trust=True)
