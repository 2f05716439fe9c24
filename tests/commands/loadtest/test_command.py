"""`cvserve loadtest`: options, files, exit codes, what is printed where."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cvserve.loadtest.pictures import KINDS
from support.command import Said, loaded_modules
from support.known_server import TOKEN, KnownServer
from support.trusted import trust_settings

Run = Callable[..., Said]
ONE = ("-u", "2", "-t", "1", "--out", "out")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnownServer]:
    server = KnownServer(tmp_path_factory.mktemp("known"), picture_ms=5)
    yield server
    server.stop()


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CVSERVE_TOKEN", TOKEN)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["-u", "0"], "--users"),
        (["-u", "many"], "--users"),
        (["-r", "0"], "--spawn-rate"),
        (["-t", "soon"], "--run-time"),
        (["--rate", "-1"], "--rate"),
        (["--slo-p95", "200"], "--slo-p95"),
        (["--max-p95", "quick"], "--max-p95"),
        (["--max-failures", "101%"], "--max-failures"),
        (["--reads", "2"], "--reads"),
        (["--body", "json"], "--body"),
        (["--processes", "0"], "--processes"),
        (["--exit-code-on-error", "256"], "--exit-code-on-error"),
        (["--compare", "last"], "--compare"),
        (["--compare", "nowhere.json"], "--compare"),
        (["--token-file", "token"], "--token-file"),
        (["http://127.0.0.1:1", "--model", "m.onnx"], "--model"),
        (["no-url"], "no-url"),
        (["http://127.0.0.1:1", "--images", "nowhere"], "nowhere"),
    ],
)
def test_a_bad_value_is_named_and_ends_with_2_before_anything_starts(
    run: Run, home: Path, arguments: list[str], word: str
) -> None:
    said = run("loadtest", *arguments)
    assert (said.code, said.out) == (2, "")
    assert word in said.err
    assert "Traceback" not in said.err
    assert os.listdir(home) == []


def test_nobody_there_is_3_and_leaves_nothing(run: Run, home: Path) -> None:
    said = run("loadtest", "http://127.0.0.1:1", "-t", "1")
    assert (said.code, said.out) == (3, "")
    assert "Nobody answers at http://127.0.0.1:1" in said.err
    assert os.listdir(home) == []


def test_another_machine_is_4(run: Run) -> None:
    said = run("loadtest", "http://192.0.2.1:8000")
    assert said.code == 4
    assert "--i-may-load-this-host" in said.err


def test_a_refused_token_is_4(run: Run, known: KnownServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("loadtest", known.url).code == 4
    monkeypatch.setenv("CVSERVE_TOKEN", "somebody-elses-token")
    said = run("loadtest", known.url)
    assert said.code == 4
    assert "refuses the token" in said.err
    assert "somebody-elses-token" not in said.err


def test_a_model_that_cannot_be_loaded_is_5_with_the_servers_own_words(run: Run, home: Path) -> None:
    (home / "model.onnx").write_bytes(b"nothing")
    said = run("loadtest", "--model", "model.onnx")
    assert said.code == 5
    assert "model.onnx" in said.err
    assert os.listdir(home) == ["model.onnx"]


def test_eject_writes_the_locustfile_once(run: Run, home: Path) -> None:
    said = run("loadtest", "http://127.0.0.1:9", "--eject", "mine.py", "--rate", "20", "--body", "raw")
    assert said.code == 0
    text = (home / "mine.py").read_text()
    for line in ('HOST = "http://127.0.0.1:9"', "RATE = 20.0", 'BODY = "raw"', 'IMAGES = ""'):
        assert f"\n{line}" in text
    assert str(home) not in text
    again = run("loadtest", "--eject", "mine.py")
    assert again.code == 2
    assert "mine.py" in again.err


def test_the_locustfile_knows_the_same_pictures_and_no_secret() -> None:
    from cvserve.loadtest.locust.template import fill_template

    text = fill_template({"HOST": "http://127.0.0.1:9"})
    found = json.loads(text.partition("SUFFIXES = ")[2].partition("\n")[0].replace("'", '"'))
    assert found == KINDS
    with pytest.raises(KeyError):
        fill_template({"NOTHING": 1})


def test_no_runs_yet(run: Run, home: Path) -> None:
    said = run("loadtest", "--list")
    assert (said.code, said.out) == (0, "")
    assert "cvserve loadtest" in said.err
    assert json.loads(run("loadtest", "--list", "--json").out) == []
    assert os.listdir(home) == []


def test_locust_is_never_loaded_here(known: KnownServer) -> None:
    code = (
        f"import os, sys; os.environ['CVSERVE_TOKEN'] = {TOKEN!r}\n"
        f"sys.argv = ['cvserve', 'loadtest', {known.url!r}, '-u', '1', '-t', '1']\n"
        "from cvserve.cli import main; main()"
    )
    loaded = {name.partition(".")[0] for name in loaded_modules(code)}
    assert "cvserve" in loaded
    assert not loaded & {"locust", "gevent", "flask", "uvicorn", "starlette"}


@pytest.mark.slow
class TestOneLoad:
    def test_report_files_and_tables(self, run: Run, home: Path, known: KnownServer, token: None) -> None:
        said = run("loadtest", known.url, *ONE)
        assert said.code == 0, said.err
        assert "2 users got" in said.out
        assert "requests/s" in said.out
        assert "run 1" in said.err
        locusts = {f"locust_{name}.csv" for name in ("stats", "stats_history", "failures", "exceptions")}
        assert set(os.listdir("out")) == {"report.html", "report.json", "curve.svg", "locustfile.py"} | locusts
        report = json.loads((home / "out" / "report.json").read_text())
        assert {"requests", "failures", "rps", "p50_ms", "p95_ms", "p99_ms"} < set(report)
        assert {"capacity_rps", "knee_users", "limited_by", "steps"} < set(report)
        written = "".join(path.read_text() for path in (home / "out").iterdir())
        assert TOKEN not in written
        assert str(home) not in written
        listed = json.loads(run("loadtest", "--list", "--json").out)
        assert [(entry["run"], entry["rps"]) for entry in listed] == [(1, report["rps"])]
        assert known.url in run("loadtest", "--list").out

    def test_json_is_the_report(self, run: Run, home: Path, known: KnownServer, token: None) -> None:
        said = run("loadtest", known.url, *ONE, "--json", "--html", "page.html", "--csv", "mine")
        report = json.loads(said.out)
        assert report == json.loads((home / "out" / "report.json").read_text())
        assert report["requests"] > 0
        assert (home / "page.html").read_text().startswith("<!doctype html>")
        with (home / "mine_stats.csv").open(newline="") as file:
            total = next(row for row in csv.DictReader(file) if row["Name"] == "Aggregated")
        assert int(total["Request Count"]) == report["requests"]

    def test_gates_and_an_earlier_run(self, run: Run, known: KnownServer, token: None) -> None:
        kept = run("loadtest", known.url, *ONE, "--max-p95", "10s", "--min-rps", "1", "--max-failures", "0.1%")
        assert kept.code == 0, kept.err
        slower = ("loadtest", known.url, "-u", "2", "--rate", "20", "-t", "1", "--out", "slow")
        broken = run(*slower, "--min-rps", "1000000", "--compare", "last")
        assert broken.code == 1
        assert "--min-rps asks for 1,000,000" in broken.err
        assert "requests/s:" in broken.err
        assert "windows differ by" in broken.err
        assert "Worse than before: requests/s" in broken.err
        assert "differs in its mode" in broken.err

    def test_failures_give_the_exit_code_that_was_asked_for(
        self, run: Run, home: Path, known: KnownServer, token: None
    ) -> None:
        # The greeting sends the first eight pictures; the ninth is broken.
        (home / "pictures").mkdir()
        samples = Path(sys.modules["cvserve"].__file__ or "").parent / "samples"
        for picture in samples.iterdir():
            (home / "pictures" / picture.name).write_bytes(picture.read_bytes())
        (home / "pictures" / "zzz.jpg").write_bytes(b"\xff\xd8\xff nothing")
        load = ("loadtest", known.url, *ONE, "--images", "pictures")
        said = run(*load)
        assert said.code == 1
        assert "422 invalid_image" in said.out
        assert run(*load, "--exit-code-on-error", "7").code == 7

    def test_its_own_server_has_the_settings_of_the_folder_and_leaves_history_and_log_untouched(
        self, run: Run, home: Path
    ) -> None:
        make = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=models.example"
        subprocess.run(make.split(), check=True, capture_output=True, timeout=60)
        lines = ['ssl_certfile = "cert.pem"', 'ssl_keyfile = "key.pem"', "no_auth = true", "workers = 1", "port = 9"]
        (home / "cvserve.toml").write_text("\n".join([*lines, "max_queue = 99"]), encoding="utf-8")
        trust_settings(home)
        said = run("loadtest", "-u", "2", "-t", "1", "--workers", "2", "--json", "--out", "out")
        assert said.code == 0, said.err
        report = json.loads(said.out)
        assert (report["target"], report["model"]["name"]) == ("own server", "digits")
        assert (report["settings"]["workers"], report["settings"]["max_queue"]) == (2, 99)
        assert report["measured"]["failures"] == 0
        assert report["measured"]["requests"] > 5
        assert 'HOST = "https://127.0.0.1:' in (home / "out" / "locustfile.py").read_text()
        assert sorted(os.listdir(home)) == ["cert.pem", "cvserve.db", "cvserve.toml", "key.pem", "out"]
        assert json.loads(run("history", "--json", "--source", "loadtest").out) == []

    def test_the_ejected_file_runs_with_plain_locust(self, run: Run, home: Path, known: KnownServer) -> None:
        run("loadtest", known.url, "--eject", "locustfile.py", "--rate", "50", "--reads", "20%")
        command = [
            sys.executable,
            "-m",
            "locust",
            "-f",
            "locustfile.py",
            "--headless",
            "-u",
            "8",
            "-t",
            "2s",
            "--csv",
            "x",
        ]
        environment = {**os.environ, "CVSERVE_TOKEN": TOKEN}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 0, ended.stderr
        with (home / "x_stats.csv").open(newline="") as file:
            total = next(row for row in csv.DictReader(file) if row["Name"] == "Aggregated")
        assert 30 < int(total["Request Count"]) < 130
        assert total["Failure Count"] == "0"
