"""A folder as `git clone` makes it, of somebody who means harm: nothing of the user's leaves, nobody gets in."""

import hashlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.neighbors import KNeighborsClassifier

from cvserve.predictor.models.code.trust import record
from support.command import cvserve
from support.process import ServerProcess
from support.trusted import trust_settings

SECRET = "ghp_this-is-nobodys-business"
# Reaches 127.0.0.1 as a name of the attacker's would reach the attacker, and is no address of this machine to us.
EVIL_HOST = "127.1"


class Listener:
    """Records the head of each request that comes, and answers all alike.

    Attributes:
        received: what came, one entry a request.
    """

    def __init__(self, answer: bytes) -> None:
        self.received: list[bytes] = []
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                connection.settimeout(10)
                data = b""
                while b"\r\n\r\n" not in data and (piece := connection.recv(65_536)):
                    data += piece
                if data == b"END":
                    return
                self.received.append(data)
                connection.sendall(self._answer)

    def close(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            last.sendall(b"END")
        self._thread.join(timeout=10)
        self._socket.close()


READY = b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 18\r\n\r\n{"status":"ready"}'


@pytest.fixture
def listen() -> Iterator[Callable[[bytes], Listener]]:
    listeners: list[Listener] = []

    def start(answer: bytes) -> Listener:
        listeners.append(Listener(answer))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.close()


@pytest.fixture
def victim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home folder, with a password and a private key in it."""
    folder = tmp_path / "victim"
    (folder / ".ssh").mkdir(parents=True)
    (folder / ".git-credentials").write_text(f"https://victim:{SECRET}@github.com\n")
    (folder / ".ssh" / "id_rsa").write_text(f"-----BEGIN-----\n{SECRET}\n-----END-----\n")
    for file in (".git-credentials", ".ssh/id_rsa"):
        (folder / file).chmod(0o600)
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def clone(tmp_path: Path, victim: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a repository of what is given and clones it into the user's home folder; the clone is the working folder.

    A value is the text of a file; with `-> ` in front it is where a link leads.
    """

    def clone_of(files: dict[str, str | bytes]) -> Path:
        source = tmp_path / "source"
        for name, text in files.items():
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(text, bytes):
                path.write_bytes(text)
            elif text.startswith("-> "):
                path.symlink_to(text.removeprefix("-> "))
            else:
                path.write_text(text)
        who = ["-c", "user.name=x", "-c", "user.email=x@x"]
        for words in (["init", "-q"], ["add", "-A", "-f"], [*who, "commit", "-q", "-m", "x"]):
            subprocess.run(["git", *words], cwd=source, check=True, capture_output=True)
        target = victim / "clone"
        subprocess.run(["git", "clone", "-q", str(source), str(target)], check=True, capture_output=True)
        monkeypatch.chdir(target)
        return target

    return clone_of


@pytest.mark.parametrize("token_file", ['token_file = "~/.git-credentials"', ""])
def test_health_sends_nothing_to_a_host_of_a_folder(
    clone: Callable[..., Path], listen: Callable[[bytes], Listener], monkeypatch: pytest.MonkeyPatch, token_file: str
) -> None:
    evil = listen(READY)
    folder = clone({"cvserve.toml": f'host = "{EVIL_HOST}"\nport = {evil.port}\n{token_file}\n'})
    if not token_file:
        monkeypatch.setenv("CVSERVE_TOKEN", SECRET)
    said = cvserve("health")
    assert (said.code, said.out) == (4, "")
    assert f"host is '{EVIL_HOST}' (cvserve.toml)" in said.err
    assert "use CVSERVE_HOST" in said.err
    assert "--host" not in said.err  # which health has not
    assert "cvserve config trust" in said.err
    assert evil.received == []

    trust_settings(folder)  # whoever trusts a folder may serve there, but who is sent a token is said by hand
    said = cvserve("health")
    assert said.code == 4
    assert "cvserve health --url http://127.1:" in said.err
    assert evil.received == []
    assert cvserve("health", "--url", f"http://{EVIL_HOST}:{evil.port}").code == 0
    assert SECRET.encode() in evil.received[0]  # it would have heard it


ASKS = b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("source", ["environment", "token_file of the environment"])
def test_health_sends_the_users_token_to_no_port_of_a_folder(
    clone: Callable[..., Path],
    victim: Path,
    listen: Callable[[bytes], Listener],
    monkeypatch: pytest.MonkeyPatch,
    source: str,
) -> None:
    ready, asks = listen(READY), listen(ASKS)
    (victim / "token").write_text(SECRET)
    (victim / "token").chmod(0o600)
    if source == "environment":
        monkeypatch.setenv("CVSERVE_TOKEN", SECRET)
    else:
        monkeypatch.setenv("CVSERVE_TOKEN_FILE", str(victim / "token"))
    clone({"cvserve.toml": f"port = {ready.port}\n", ".env": "CVSERVE_TOP_K=1\n"})
    assert cvserve("health").code == 0
    Path("cvserve.toml").write_text(f"port = {asks.port}\n")
    said = cvserve("health")
    assert (said.code, said.out) == (1, "")
    assert f"port is '{asks.port}' (cvserve.toml); say it by --url or CVSERVE_PORT in the environment" in said.err
    assert not any(SECRET.encode() in head for head in ready.received + asks.received)
    cvserve("health", CVSERVE_PORT=str(ready.port))
    cvserve("health", "--url", f"http://127.0.0.1:{ready.port}")
    assert [SECRET.encode() in head for head in ready.received] == [False, True, True]


def test_health_sends_a_folders_token_to_its_port(
    clone: Callable[..., Path], listen: Callable[[bytes], Listener]
) -> None:
    near = listen(READY)
    clone({".env": f"CVSERVE_TOKEN=token-of-the-course\nPORT={near.port}\n"})
    assert cvserve("health").code == 0
    assert b"token-of-the-course" in near.received[0]


def test_health_reads_no_token_from_outside_of_the_folder(
    clone: Callable[..., Path], listen: Callable[[bytes], Listener]
) -> None:
    evil = listen(READY)
    clone({"cvserve.toml": f'port = {evil.port}\ntoken_file = "key"\n', "key": "-> ../.git-credentials"})
    said = cvserve("health")
    assert (said.code, said.out) == (4, "")
    assert "which leads out of the folder" in said.err
    assert SECRET not in said.err
    assert evil.received == []


def test_health_follows_no_redirect(clone: Callable[..., Path], listen: Callable[[bytes], Listener]) -> None:
    evil = listen(READY)
    head = f"HTTP/1.1 302 Found\r\nLocation: http://{EVIL_HOST}:{evil.port}/\r\n"
    near = listen(f"{head}Connection: close\r\nContent-Length: 0\r\n\r\n".encode())
    clone({"cvserve.toml": f"port = {near.port}\n"})
    assert cvserve("health", CVSERVE_TOKEN=SECRET).code == 1
    assert len(near.received) == 1
    assert evil.received == []


@pytest.fixture(scope="module")
def model() -> bytes:
    """A model of three classes, as many as there are lines in the key, that needs no trust."""
    rows = np.arange(12.0).reshape(3, 4)
    return bytes(skops.io.dumps(KNeighborsClassifier(1, algorithm="brute").fit(rows, [0, 1, 2])))


INPUT = "[input]\nsize = [2, 2]\nmode = 'L'\n"
LABELS = {
    "labels.txt": {"labels.txt": "-> ../.ssh/id_rsa", "m.toml": INPUT},
    "a file that model.toml names": {"names.txt": "-> ../.ssh/id_rsa", "m.toml": f'labels = "names.txt"\n{INPUT}'},
    "a folder that model.toml names": {"sub": "-> ../.ssh", "m.toml": f'labels = "sub/id_rsa"\n{INPUT}'},
}


@pytest.mark.parametrize("way", LABELS)
def test_no_file_of_the_user_becomes_labels(clone: Callable[..., Path], model: bytes, photo: bytes, way: str) -> None:
    clone({"m.skops": model, "cvserve.toml": 'model = "m.skops"\n', "x.jpg": photo, **LABELS[way]})
    by_flag = ["predict", "--model", "m.skops", "--top-k", "3", "--no-history", "x.jpg"]
    for arguments in (by_flag, ["serve"] if way == "labels.txt" else ["model", "inspect", "m.skops"]):
        said = cvserve(*arguments)
        assert (said.code, said.out) == (4, ""), said.err
        assert "leads out of its folder" in said.err
        assert "cvserve config trust --model" in said.err
        assert SECRET not in said.err


def test_a_model_toml_of_elsewhere_is_not_read(clone: Callable[..., Path], victim: Path, model: bytes) -> None:
    (victim / "secret.toml").write_text(f'name = "{SECRET}"\n{INPUT}')
    clone({"m.skops": model, "m.toml": "-> ../secret.toml", ".env": "MODEL_PATH=m.skops\n"})
    said = cvserve("model", "inspect", "m.skops")
    assert (said.code, said.out) == (4, "")
    said = cvserve("serve", CVSERVE_MODEL_CONFIG="")
    assert said.code == 4
    Path(".env").write_text("MODEL_PATH=m.skops\nCVSERVE_MODEL_CONFIG=../secret.toml\n")
    said = cvserve("serve")
    assert said.code == 4
    assert "model_config is " in said.err
    assert SECRET not in said.err
    # Who names it means it.
    assert f'"{SECRET}"' in cvserve("model", "inspect", "m.skops", "--model-config", "../secret.toml", "--json").out


READS_WEIGHTS = """
class Net:
    def setup(self):
        raise ValueError(open(self.weights).read())
    def infer(self, batch):
        return batch
"""


def test_no_file_of_the_user_becomes_weights(clone: Callable[..., Path], photo: bytes) -> None:
    """They are handed to a class, which the user may trust, and whose mistake tells what it has read."""
    clone({"net.py": READS_WEIGHTS, "w.bin": "-> ../.ssh/id_rsa", "x.jpg": photo})
    record(hashlib.sha256(READS_WEIGHTS.encode()).hexdigest(), "net.py", len(READS_WEIGHTS))
    for named in ("../.ssh/id_rsa", "w.bin"):
        Path(".env").write_text(f"MODEL_PATH=net.py:Net\nCVSERVE_WEIGHTS={named}\n")
        said = cvserve("predict", "--no-history", "x.jpg")
        assert (said.code, said.out) == (4, "")
        assert f"/{named}' (CVSERVE_WEIGHTS in .env), which leads out of the folder" in said.err
        assert SECRET not in said.err


DOORS = {
    "host and token": {".env": "CVSERVE_TOKEN=known-to-the-stranger\nCVSERVE_HOST=0.0.0.0\n"},
    "host": {"cvserve.toml": 'host = "::"\n'},
    "token_file": {"cvserve.toml": 'token_file = "~/.git-credentials"\n'},
    "no_auth": {"cvserve.toml": "no_auth = true\n"},
    "cors_origin": {"cvserve.toml": 'cors_origin = "*"\n'},
    "forwarded_allow_ips": {".env": "FORWARDED_ALLOW_IPS=*\n"},
    "home": {"cvserve.toml": 'home = "../new/deep"\n'},
    "home by a link": {"cvserve.toml": 'home = "data"\n', "data": "-> ../.ssh"},
    "ssl_keyfile": {"cvserve.toml": 'ssl_certfile = "c.pem"\nssl_keyfile = "../.ssh/id_rsa"\n', "c.pem": ""},
}


@pytest.mark.parametrize("door", DOORS)
def test_a_folder_opens_no_door(clone: Callable[..., Path], victim: Path, door: str) -> None:
    folder = clone(DOORS[door])
    before = sorted(victim.rglob("*"))
    said = cvserve("serve", "--port", "0")
    assert (said.code, said.out) == (4, "")
    file = next(iter(DOORS[door]))
    assert f"{file})" in said.err
    assert door.split(maxsplit=1)[0] in said.err
    assert f"or read {file} and run: cvserve config trust" in said.err
    assert "known-to-the-stranger" not in said.err
    assert sorted(victim.rglob("*")) == before
    assert said.err.count("\n") == 1
    assert folder == Path.cwd()


def test_a_token_of_a_folder_does_not_open_what_the_user_opens_to_all(clone: Callable[..., Path]) -> None:
    clone({".env": "CVSERVE_TOKEN=known-to-the-stranger\n"})
    said = cvserve("serve", "--host", "0.0.0.0", "--port", "0")
    assert said.code == 4
    assert "token is '***' (CVSERVE_TOKEN in .env), while host is '0.0.0.0'" in said.err
    assert "use CVSERVE_TOKEN" in said.err


def test_settings_of_another_folder_do_not_count_by_a_link(clone: Callable[..., Path], victim: Path) -> None:
    (victim / "other.env").write_text("CVSERVE_TOKEN=of-another-project-of-the-user\nCVSERVE_TOP_K=1\n")
    clone({".env": "-> ../other.env"})
    for command in (["serve", "--port", "0"], ["model", "inspect", "builtin"]):
        said = cvserve(*command)
        assert (said.code, said.out) == (4, "")
        assert ".env is a link that leads out of the folder" in said.err
        assert "of-another-project" not in said.err
    trust_settings(Path.cwd())
    assert cvserve("model", "inspect", "builtin").code == 0


def test_what_any_folder_may_say_needs_no_trust(
    clone: Callable[..., Path], model: bytes, photo: bytes, server_process: Callable[..., ServerProcess]
) -> None:
    names = "zero\none\ntwo\n"
    folder = clone(
        {
            ".env": "MODEL_PATH=./model/m.skops\nCVSERVE_TOKEN=a-token-of-the-course\nCVSERVE_HOME=new/deep\n",
            "cvserve.toml": 'host = "localhost"\nmax_queue = 7\npublic_health = true\nno_auth = false\n',
            "model/m.skops": model,
            "model/m.toml": INPUT,
            "model/labels.txt": "-> versions/1/labels.txt",  # as a mounted config map has it
            "model/versions/1/labels.txt": names,
        }
    )
    server = ServerProcess(folder)
    try:
        with server.client("a-token-of-the-course") as client:
            assert client.post("/predict", content=photo).json()["label"] in names.split()
        for path in ("new", "new/deep"):
            assert (folder / path).stat().st_mode & 0o777 == 0o700
    finally:
        server.stop()


def test_tokens_that_a_database_came_with_are_announced_until_they_were_looked_at(
    tmp_path: Path, clone: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state-of-the-stranger"))
    (tmp_path / "stranger").mkdir()
    theirs = ["--scope", "predict,history", "--home", str(tmp_path / "stranger")]
    assert cvserve("token", "new", "back\u202edoor", *theirs).code == 2  # what hides itself in a line is no name
    assert cvserve("token", "new", "backdoor", *theirs).code == 0
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = clone({"cvserve.db": (tmp_path / "stranger" / "cvserve.db").read_bytes()})
    (folder / "cvserve.db").chmod(0o600)
    words = "cvserve.db accepts a token that you have not seen before: backdoor (history, predict) "

    def start() -> str:
        server = ServerProcess(folder, CVSERVE_TOKEN="a-token-of-the-user-itself")
        assert server.stop() == 0
        return server.stderr

    for _ in range(2):
        assert f"{words}– look with: cvserve token list\n" in start()
    assert cvserve("token", "list").code == 0
    assert cvserve("token", "new", "alice").code == 0
    assert "not seen before" not in start()


@pytest.mark.parametrize("state", ["in the folder", "nowhere"])
def test_where_nothing_can_be_remembered_tokens_are_named_without_blame(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    (tmp_path / "no-folder").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "s" if state == "in the folder" else tmp_path / "no-folder"))

    def start() -> str:
        server = ServerProcess(home)
        assert server.stop() == 0
        return server.stderr

    first = start()
    assert "Your token, shown this once" in first
    assert "cvserve.db accepts" not in first
    second = start()
    assert "cvserve.db accepts a token: first (" in second
    assert "which of them you know cannot be remembered here" in second
    assert "not seen" not in second
    assert not (home / "s").exists()


def run_as_installed(*arguments: str) -> str:
    """What `cvserve` says on stderr, as the script that pip installs runs it: the working folder is not on its path."""
    command = [sys.executable, "-P", "-m", "cvserve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr


CANARY = "open('ran', 'w').close()\n"


def test_the_name_of_an_installed_module_runs_nothing_of_the_folder(clone: Callable[..., Path]) -> None:
    """Neither a module of that name nor one that the installed module imports."""
    clone(dict.fromkeys(("sklearn/__init__.py", "sklearn/dummy.py", "scipy/__init__.py", "filecmp.py"), CANARY))
    said = run_as_installed("model", "inspect", "sklearn.dummy:DummyClassifier")
    assert "DummyClassifier in dummy.py has no method infer" in said
    assert not Path("ran").exists()


def test_a_load_test_runs_nothing_of_the_folder(clone: Callable[..., Path]) -> None:
    """Its own server is our code, and not a `cvserve/` or a `typer.py` that lies where it is started."""
    clone(dict.fromkeys(("cvserve/__init__.py", "cvserve/__main__.py", "runpy.py", "typer.py"), CANARY))
    said = run_as_installed("loadtest", "--model", "none.onnx", "-t", "1")
    assert "The server for the test did not start: There is no model file 'none.onnx'" in said
    assert not Path("ran").exists()
