"""A class of one's own behind a real server: with worker processes, with threads, and named by a folder."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from cvserve import Settings, create_app
from support.command import cvserve
from support.own_models import BRIGHTNESS
from support.pictures import encoded
from support.process import ServerProcess, workers_of
from support.threaded import ThreadedServer

TOKEN = "token-of-the-tests"
STARTS_A_THREAD = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"


@pytest.fixture
def model(home: Path) -> Path:
    """`models/my_model.py`, which imports a file beside it in `infer`."""
    path = home / "models" / "my_model.py"
    path.parent.mkdir()
    path.write_text(BRIGHTNESS.replace("def infer(self, batch):", "def infer(self, batch):\n        import beside"))
    path.with_name("beside.py").write_text("")
    return path


def white() -> bytes:
    return encoded(Image.new("RGB", (20, 10), "white"))


@pytest.mark.parametrize("workers", ["2", "0"])
def test_served_from_another_folder(model: Path, server_process: Callable[..., ServerProcess], workers: str) -> None:
    server = server_process("--model", f"{model}:Brightness", "--workers", workers)
    assert "serves brightness" in server.stderr
    assert "guessed" not in server.stderr
    with server.client() as client:
        answer = client.post("/predict", files={"file": ("a.png", white())}).json()
    assert (answer["label"], answer["score"], answer["model"]["name"]) == ("light", 0.75, "brightness")


def test_served_by_the_name_of_its_module(model: Path, server_process: Callable[..., ServerProcess]) -> None:
    (model.parent / "__init__.py").write_text("")
    model.write_text(BRIGHTNESS)
    server = server_process(CVSERVE_MODEL="models.my_model:Brightness")
    with server.client() as client:
        assert client.post("/predict", files={"file": ("a.png", white())}).json()["label"] == "light"


def test_an_answer_may_have_all_of_very_many_classes(model: Path, server_process: Callable[..., ServerProcess]) -> None:
    text = BRIGHTNESS.replace('("dark", "light")', "[f'class {index}' for index in range(30_000)]")
    model.write_text(text.replace("np.stack([1 - light, light], axis=1)", "np.full((len(batch), 30_000), 1 / 30_000)"))
    server = server_process("--model", f"{model}:Brightness", "--workers", "1")
    with server.client() as client:
        files = [("file", (name, white())) for name in ("a.png", "b.png")]
        answers = client.post("/predict/batch?top_k=30000", files=files).json()
        assert [len(answer["top"]) for answer in answers] == [30_000, 30_000]
        assert len(client.get(f"/predict/{answers[0]['id']}").json()["top"]) == 30_000


def test_workers_of_a_model_with_threads_are_fresh_processes(
    model: Path, server_process: Callable[..., ServerProcess]
) -> None:
    model.write_text(BRIGHTNESS.replace("self.middle = 128.0", f"{STARTS_A_THREAD}; self.middle = 128.0"))
    server = server_process("--model", f"{model}:Brightness", "--workers", "1")
    with server.client() as client:
        assert client.post("/predict", files={"file": ("a.png", white())}).json()["label"] == "light"
    (worker,) = workers_of(server.process.pid)
    assert len(list(Path(f"/proc/{worker}/task").iterdir())) > 1  # a fork would have left the thread behind


@pytest.mark.parametrize("workers", ["1", "0"])
def test_a_mistake_at_a_request_is_told_to_the_operator_and_not_to_the_client(
    model: Path, server_process: Callable[..., ServerProcess], workers: str
) -> None:
    model.write_text(BRIGHTNESS.replace("light =", "assert batch.max() < 200, 'a secret of ours'\n        light ="))
    server = server_process("--model", f"{model}:Brightness", "--workers", workers)
    with server.client() as client:
        answer = client.post("/predict", files={"file": ("a.png", white())})
    assert (answer.status_code, answer.json()["code"]) == (500, "model_error")
    assert "secret" not in answer.text
    assert "my_model" not in answer.text
    server.wait_for(re.compile("a secret of ours"))
    assert re.search(r'my_model\.py", line 17', server.stderr)
    assert "own_class.py" not in server.stderr
    assert "predictor.py" not in server.stderr


def test_a_mistake_at_the_start_is_one_sentence(model: Path) -> None:
    model.write_text(BRIGHTNESS.replace("self.middle = 128.0", "raise OSError('no such weights')"))
    for command in (["serve", "--port", "0"], ["predict", "--no-history", "x.png"]):
        Path("x.png").write_bytes(white())
        said = cvserve(*command, "--model", f"{model}:Brightness")
        assert said.code == 5
        assert said.err == (
            "cvserve: Brightness in my_model.py failed in setup: my_model.py, line 11: OSError: no such weights\n"
        )


def test_a_mistake_is_told_on_the_terminal_of_predict(model: Path) -> None:
    model.write_text(BRIGHTNESS.replace("light =", "assert batch.max() < 200, 'too light'\n        light ="))
    Path("x.png").write_bytes(white())
    for form in ([], ["--json"]):
        said = cvserve("predict", "--no-history", "--model", f"{model}:Brightness", "x.png", *form)
        assert said.code == 1
        assert "cvserve: x.png: models/my_model.py, line 17: AssertionError: too light" in said.err
        assert "too light" not in said.out
    said = cvserve("model", "try", f"{model}:Brightness", "x.png")
    assert said.code == 1
    assert said.err.endswith("cvserve: x.png: models/my_model.py, line 17: AssertionError: too light\n")


@pytest.mark.parametrize("file", [".env", "cvserve.toml"])
def test_a_folder_that_names_a_class_does_not_run_it_until_it_is_trusted(
    model: Path, server_process: Callable[..., ServerProcess], file: str
) -> None:
    model.write_text("open('ran', 'w').close()\n" + model.read_text())
    key = "MODEL_PATH=./" if file == ".env" else 'model = "'
    Path(file).write_text(f"{key}models/my_model.py:Brightness{'' if file == '.env' else chr(34)}\n")
    Path("x.png").write_bytes(white())
    for command in (["serve", "--port", "0"], ["serve", "--port", "0", "--workers", "0"], ["predict", "x.png"]):
        refused = cvserve(*command)
        assert refused.code == 5
        assert not Path("ran").exists()
    words = re.search(r"cvserve (model trust \S+ --sha256 [0-9a-f]{64})", refused.err)
    assert words, refused.err
    assert cvserve(*words[1].split()).code == 0
    server = server_process()
    assert "serves brightness" in server.stderr


def test_a_class_in_the_environment_needs_no_trust(model: Path) -> None:
    Path("x.png").write_bytes(white())
    said = cvserve("predict", "--json", "--no-history", "x.png", CVSERVE_MODEL=f"{model}:Brightness")
    assert said.code == 0
    assert '"label": "light"' in said.out or '"label":"light"' in said.out


def test_an_app_of_ones_own_serves_it(model: Path, home: Path) -> None:
    app = create_app(Settings(home=home, workers=1, no_auth=True, model=f"{model}:Brightness"))
    server = ThreadedServer(home, app.resources)  # type: ignore[attr-defined]
    try:
        with server.client() as client:
            assert client.post("/predict", content=white()).json()["label"] == "light"
    finally:
        server.stop()


def test_inspect_and_try(model: Path) -> None:
    Path("x.png").write_bytes(white())
    inspected = cvserve("model", "inspect", f"{model}:Brightness")
    assert inspected.code == 0, inspected.err
    for word in ("python", "Brightness", "dark, light"):
        assert word in inspected.out
    tried = cvserve("model", "try", f"{model}:Brightness", "x.png", "--save", "seen.png")
    assert tried.code == 0, tried.err
    assert "light" in tried.out
    assert Path("seen.png").exists()
