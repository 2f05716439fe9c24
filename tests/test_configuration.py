"""Where settings come from: flag > environment > .env > cvserve.toml > default."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cvserve import History, create_app
from cvserve.configuration import Configuration, OtherModelWarning, find_home, load_configuration
from cvserve.errors import InvalidSetting, Unsafe
from cvserve.predictor.source import ModelSource
from cvserve.setting_field import Reach
from cvserve.settings import FIELDS, flag, variable
from cvserve.settings_files import UnknownSettingWarning
from cvserve.trust.claims import OF_MODELS
from support.trusted import trust_settings

SOURCES = ("flag", "environment", ".env", "cvserve.toml")


def loaded(folder: Path, chosen: dict[str, str], name: str = "max_queue", alias: str | None = None) -> Configuration:
    """Settings when the sources in `chosen` say what they say."""
    (folder / "cvserve.toml").write_text(f'{name} = "{chosen["cvserve.toml"]}"\n' if "cvserve.toml" in chosen else "")
    (folder / ".env").write_text(f"{alias or variable(name)}={chosen['.env']}\n" if ".env" in chosen else "")
    environ = {alias or variable(name): chosen["environment"]} if "environment" in chosen else {}
    flags = {name: chosen["flag"]} if "flag" in chosen else {name: None}
    return load_configuration(flags, environ, folder)


@pytest.mark.parametrize("first", range(5))
def test_the_first_source_that_speaks_wins(home: Path, first: int) -> None:
    chosen = {source: str(10 + at) for at, source in enumerate(SOURCES) if at >= first}
    configuration = loaded(home, chosen)
    assert configuration.settings.max_queue == (10 + first if first < 4 else 1024)
    assert (
        configuration.origins["max_queue"]
        == (["flag", "CVSERVE_MAX_QUEUE", "CVSERVE_MAX_QUEUE in .env", "cvserve.toml", "default"][first])
    )


@pytest.mark.parametrize(
    ("name", "alias", "text", "value"),
    [
        ("model", "MODEL_PATH", "/m.pkl", "/m.pkl"),
        ("port", "PORT", "81", 81),
        ("forwarded_allow_ips", "FORWARDED_ALLOW_IPS", "10.0.0.1", "10.0.0.1"),
    ],
)
@pytest.mark.parametrize("source", ["environment", ".env"])
def test_aliases_work_in_environment_and_dotenv(
    home: Path, name: str, alias: str, text: str, value: str | int, source: str
) -> None:
    if (name, source) == ("forwarded_allow_ips", ".env"):  # who is believed is not for any folder to say
        with pytest.raises(Unsafe):
            loaded(home, {source: text}, name, alias)
        trust_settings(home)
    configuration = loaded(home, {source: text}, name, alias)
    assert getattr(configuration.settings, name) == value
    assert alias in configuration.origins[name]


def test_our_own_name_wins_over_the_alias(home: Path) -> None:
    assert load_configuration({}, {"PORT": "1", "CVSERVE_PORT": "2"}, home).settings.port == 2


def test_a_dotenv_with_the_path_of_a_model_alone_works(home: Path) -> None:
    (home / ".env").write_text("MODEL_PATH=./model/model.pkl\n")
    settings = load_configuration({}, {}, home).settings
    assert Path(settings.model or "") == home / "model" / "model.pkl"


@pytest.mark.parametrize("file", [".env", "cvserve.toml"])
def test_a_path_in_a_file_is_relative_to_that_file(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    lines = {"home": "data", "token_file": "../token", "ssl_certfile": "/etc/cert.pem", "ssl_keyfile": "key.pem"}
    lines |= {"model": "m.skops", "model_config": "sub/model.toml"}
    (tmp_path / "token").write_text("s3cret-s3cret-s3cret\n")
    (tmp_path / "token").chmod(0o600)
    for name, text in lines.items():
        with (home / file).open("a") as opened:
            opened.write(f"{variable(name)}={text}\n" if file == ".env" else f'{name} = "{text}"\n')
    trust_settings(home)
    monkeypatch.chdir(tmp_path)
    settings = load_configuration({}, {}, home).settings
    assert settings.home == home / "data"
    assert settings.model == str(home / "m.skops")
    assert settings.model_config == home / "sub" / "model.toml"
    assert str(settings.ssl_certfile) == "/etc/cert.pem"
    assert settings.token == "s3cret-s3cret-s3cret"


def test_a_class_in_a_file_may_be_an_import_path_or_a_file(home: Path) -> None:
    (home / ".env").write_text("CVSERVE_MODEL=package.module:MaskModel\n")
    assert load_configuration({}, {}, home).settings.model == "package.module:MaskModel"
    (home / ".env").write_text("CVSERVE_MODEL=my_model.py:MaskModel\n")
    assert load_configuration({}, {}, home).settings.model == str(home / "my_model.py:MaskModel")


@pytest.mark.parametrize("model", ["m.py:Model", "package.module:Model", "m.pkl", None])
def test_only_a_person_names_code_to_run(home: Path, model: str | None) -> None:
    def is_code(chosen: list[str]) -> bool:
        return loaded(home, dict.fromkeys(chosen, model or ""), "model").settings.model_is_code

    is_class = model is not None and ":" in model
    if model is None:
        assert not load_configuration({}, {}, home).settings.model_is_code
        return
    for person in (["flag"], ["environment"], ["flag", ".env", "cvserve.toml"], ["environment", "cvserve.toml"]):
        assert is_code(person) == is_class
    for file in ([".env"], ["cvserve.toml"], [".env", "cvserve.toml"]):
        assert not is_code(file)
    assert not loaded(home, {".env": model}, "model", "MODEL_PATH").settings.model_is_code


def test_weights_in_a_file_are_beside_it(home: Path) -> None:
    (home / "cvserve.toml").write_text('model = "m.py:Model"\nweights = "best.pth"\n')
    settings = load_configuration({}, {}, home).settings
    assert settings.weights == home / "best.pth"
    source = ModelSource.of(settings).to_json()
    assert source["weights"] == str(home / "best.pth")
    assert source["named_by_file"] is True


FOLDER = {"model": "a.onnx", "model_config": "a-other.toml", "weights": "a.pth"}


def said_in(folder: Path, file: str, entries: dict[str, str]) -> None:
    """Write the entries into `.env` or `cvserve.toml`."""
    lines = (f'{variable(name)}="{text}"' if file == ".env" else f'{name} = "{text}"' for name, text in entries.items())
    (folder / file).write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("file", [".env", "cvserve.toml"])
@pytest.mark.parametrize("source", ["flag", "environment"])
@pytest.mark.parametrize("other", ["b.onnx", "builtin", "b.py:Model"])
def test_what_a_file_says_of_its_model_is_left_out_for_another_one(
    home: Path, file: str, source: str, other: str
) -> None:
    said_in(home, file, FOLDER)
    flags, environ = ({"model": other}, {}) if source == "flag" else ({}, {"CVSERVE_MODEL": other})
    with pytest.warns(OtherModelWarning) as warned:
        configuration = load_configuration(flags, environ, home)
    assert (configuration.settings.model_config, configuration.settings.weights) == (None, None)
    assert configuration.origins["model_config"] == "default"
    texts = sorted(str(entry.message) for entry in warned)
    assert [text.partition(" ")[0] for text in texts] == ["model_config", "weights"]
    assert f"'{home / 'a.onnx'}'" in texts[0]
    assert "--model-config" in texts[0]
    assert file in texts[0]


@pytest.mark.parametrize("file", [".env", "cvserve.toml"])
@pytest.mark.parametrize("spelling", ["a.onnx", "./a.onnx", "../{name}/a.onnx", "{folder}/a.onnx"])
def test_the_same_model_by_another_spelling_keeps_what_the_file_says_of_it(
    home: Path, file: str, spelling: str
) -> None:
    said_in(home, file, FOLDER)
    settings = load_configuration({"model": spelling.format(name=home.name, folder=home)}, {}, home).settings
    assert (settings.model_config, settings.weights) == (home / "a-other.toml", home / "a.pth")


def test_what_is_said_of_no_model_in_particular_goes_with_any(home: Path) -> None:
    said_in(home, ".env", {"model_config": "other.toml"})
    assert load_configuration({"model": "b.onnx"}, {}, home).settings.model_config == home / "other.toml"
    said_in(home, "cvserve.toml", {"model": "a.onnx"})
    with pytest.warns(OtherModelWarning):
        assert load_configuration({"model": "b.onnx"}, {}, home).settings.model_config is None


def test_a_hash_holds_whichever_model_is_named(home: Path) -> None:
    said_in(home, ".env", {"model": "a.onnx"})
    environ = {"CVSERVE_MODEL_SHA256": "a" * 64, "CVSERVE_MODEL": "c.pkl"}
    assert load_configuration({"model": "b.pkl"}, environ, home).settings.model_sha256 == "a" * 64


def test_a_flag_is_for_the_model_that_is_loaded(home: Path) -> None:
    said_in(home, ".env", FOLDER)
    settings = load_configuration({"model": "b.py:Model", "weights": "b.pth", "model_config": "b.toml"}, {}, home)
    assert (str(settings.settings.weights), str(settings.settings.model_config)) == ("b.pth", "b.toml")
    assert load_configuration({"model_config": "b.toml"}, {}, home).settings.weights == home / "a.pth"


def test_builtin_is_the_built_in_model_also_where_a_file_names_another(home: Path) -> None:
    said_in(home, ".env", {"model": "a.onnx"})
    configuration = load_configuration({"model": "builtin"}, {}, home)
    assert (configuration.settings.model, configuration.origins["model"]) == (None, "flag")
    assert load_configuration({"model": "./builtin"}, {}, home).settings.model == "./builtin"
    said_in(home, ".env", {"model": "builtin"})
    assert load_configuration({}, {}, home).settings.model is None


@pytest.mark.parametrize("source", ["environment", ".env"])
def test_an_unknown_variable_is_a_warning_with_the_nearest_name(home: Path, source: str) -> None:
    (home / ".env").write_text("CVSERVE_PROT=1\n" if source == ".env" else "")
    environ = {"CVSERVE_PROT": "1"} if source == "environment" else {}
    with pytest.warns(UnknownSettingWarning, match=r"CVSERVE_PROT in .*; did you mean 'CVSERVE_PORT'\?"):
        load_configuration({}, environ, home)


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("prot = 1", ["prot", "port"]),
        ("port = 1\nport = 2", ["cvserve.toml"]),
        ("[port]\nx = 1", ["port", "table"]),
        ("port =", ["cvserve.toml"]),
        ("port = " + "9" * 5000, ["cvserve.toml is not TOML: a whole number is too large."]),
        ("port = 0x" + "f" * 5000, ["cvserve.toml is not TOML: a whole number is too large."]),
        ("port = " + "[" * 100_000, ["cvserve.toml is not TOML: it is nested too deeply."]),
        ("port = true", ["port", "True", "cvserve.toml", "whole number"]),
        ("port = 99999", ["port", "99999", "cvserve.toml", "65535"]),
        (
            'model_sha256 = "' + "a" * 64 + '"',
            ["model_sha256", "cvserve.toml", "--model-sha256", "CVSERVE_MODEL_SHA256"],
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_bad_file_of_settings_is_an_error_that_names_it(home: Path, toml: str, words: list[str]) -> None:
    (home / "cvserve.toml").write_text(toml)
    with pytest.raises(InvalidSetting) as error:
        load_configuration({}, {}, home)
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.parametrize("file", [".env", "cvserve.toml"])
def test_a_file_that_is_no_text_is_an_error_that_names_it(home: Path, file: str) -> None:
    (home / file).write_bytes(b"\xff\xfe\x00port")
    with pytest.raises(InvalidSetting, match=file):
        load_configuration({}, {}, home)


def test_the_hash_of_the_model_cannot_come_from_dotenv(home: Path) -> None:
    (home / ".env").write_text(f"CVSERVE_MODEL_SHA256={'a' * 64}\n")
    with pytest.raises(InvalidSetting, match="--model-sha256 or CVSERVE_MODEL_SHA256"):
        load_configuration({}, {}, home)
    (home / ".env").unlink()
    environ = {"CVSERVE_MODEL_SHA256": "A" * 64}
    assert load_configuration({}, environ, home).settings.model_sha256 == "a" * 64
    assert load_configuration({"model_sha256": "b" * 64}, environ, home).settings.model_sha256 == "b" * 64


BAD = {
    "host": "", "port": "70000", "home": "\0", "model": "", "max_batch_size": "0", "max_queue": "-1",
    "max_queue_bytes": "0", "max_body": "x", "max_pixels": "１", "formats": "EPS", "predict_timeout": "0",
    "body_timeout": "-1", "shutdown_timeout": "9" * 400, "top_k": "9" * 30, "durability": "none", "log_format": "xml",
    "log_keep": "-1", "root_path": "x", "no_auth": "maybe", "public_health": "2",
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), BAD.items())
def test_a_bad_value_names_setting_value_origin_and_way_out(home: Path, name: str, text: str) -> None:
    if text and name != "home":
        with pytest.raises(InvalidSetting) as error:
            load_configuration({}, {variable(name): text}, home)
        assert variable(name) in str(error.value)
    with pytest.raises(InvalidSetting) as error:
        load_configuration({name: text}, {}, home)
    message = str(error.value)
    assert message.startswith(f"{name} is '{text}' ({flag(name)}): give ")
    assert error.value.exit_code == 2


def test_an_empty_variable_is_one_that_is_not_set(home: Path) -> None:
    assert load_configuration({}, {"CVSERVE_PORT": ""}, home).settings.port == 8000


def test_lists_come_with_commas_or_as_toml_lists(home: Path) -> None:
    environ = {"CVSERVE_CORS_ORIGIN": "https://a.example, https://b.example"}
    assert load_configuration({}, environ, home).settings.cors_origin == ("https://a.example", "https://b.example")
    (home / "cvserve.toml").write_text('cors_origin = ["https://c.example"]\nno_auth = true\nport = 81\n')
    trust_settings(home)
    settings = load_configuration({}, {}, home).settings
    assert (settings.cors_origin, settings.no_auth, settings.port) == (("https://c.example",), True, 81)


def test_a_dotenv_of_other_programs_does_not_matter(home: Path) -> None:
    (home / ".env").write_text('\ufeffSECRET_KEY=x\nexport PATH_TO="a b"\n# CVSERVE_PORT=1\nCVSERVE_PORT="81" # ours\n')
    assert load_configuration({}, {}, home).settings.port == 81


def test_the_token_file(home: Path) -> None:
    path = home / "token.txt"
    path.write_text("s3cret-s3cret-s3cret\n")
    path.chmod(0o600)
    configuration = load_configuration({"token_file": str(path)}, {}, home)
    assert configuration.settings.token == "s3cret-s3cret-s3cret"
    assert configuration.origins["token"] == "token_file"
    path.chmod(0o644)
    with pytest.raises(Unsafe, match="chmod 600") as unsafe:
        load_configuration({"token_file": str(path)}, {}, home)
    assert unsafe.value.exit_code == 4
    path.chmod(0o600)
    path.write_text("two words\n")
    with pytest.raises(InvalidSetting, match="holds no token") as error:
        load_configuration({"token_file": str(path)}, {}, home)
    assert "two words" not in str(error.value)
    with pytest.raises(InvalidSetting, match="cannot be read"):
        load_configuration({"token_file": str(home / "none")}, {}, home)


def test_a_token_file_is_a_small_file(home: Path) -> None:
    os.mkfifo(home / "pipe", 0o600)
    (home / "large").write_bytes(b"x" * 20_000)
    for name in ("pipe", "large", "."):
        with pytest.raises(InvalidSetting, match="is no file with one token"):
            load_configuration({"token_file": str(home / name)}, {}, home)


def test_contradictions(home: Path) -> None:
    with pytest.raises(InvalidSetting, match="go together"):
        load_configuration({"ssl_certfile": "a"}, {}, home)
    with pytest.raises(InvalidSetting, match="no_auth"):
        load_configuration({"no_auth": True}, {"CVSERVE_TOKEN": "x" * 20}, home)


def test_home_is_found_where_serve_finds_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_home() == Path()
    (home / ".env").write_text("CVSERVE_HOME=data\n")
    assert find_home() == home / "data"
    monkeypatch.setenv("CVSERVE_HOME", "elsewhere")
    assert find_home() == Path("elsewhere")
    assert find_home("flag") == Path("flag")


@pytest.mark.parametrize("opened", [create_app, History.open])
def test_the_library_refuses_what_commands_refuse(home: Path, opened: Callable[[], object]) -> None:
    (home / "cvserve.toml").write_text('home = "../elsewhere"\n')
    with pytest.raises(Unsafe, match="which leads out of the folder") as refused:
        opened()
    assert refused.value.exit_code == 4
    assert not (home.parent / "elsewhere").exists()


OF_A_SERVER = {
    "host": "0.0.0.0",
    "token": "x" * 20,
    "token_file": "/etc/passwd",
    "no_auth": "true",
    "allowed_hosts": "a.example",
    "forwarded_allow_ips": "*",
    "ssl_certfile": "/c.pem",
    "ssl_keyfile": "/k.pem",
    "cors_origin": "*",
    "public_health": "true",
}


@pytest.mark.parametrize("file", [".env", "cvserve.toml"])
def test_what_only_a_server_reads_refuses_nobody_else(home: Path, file: str) -> None:
    said_in(home, file, OF_A_SERVER)
    assert find_home() == Path()
    with History.open() as history:
        assert len(history) == 0
    settings = load_configuration({}, {}, home, uses=OF_MODELS).settings
    assert (settings.host, settings.token, settings.no_auth) == ("127.0.0.1", None, False)
    with pytest.raises(Unsafe):
        create_app()


def test_each_setting_beyond_any_folder_is_a_servers_or_says_what_else_reads_it() -> None:
    beyond = {name for name, field in FIELDS.items() if field.metadata["reach"] not in (Reach.FOLDER, Reach.PERSON)}
    assert beyond - set(OF_A_SERVER) == {"home", "model_config", "weights"}
    assert set(FIELDS) - set(OF_A_SERVER) - {"home"} == OF_MODELS


def test_a_refusal_names_options_that_there_are_and_all_that_it_refuses(home: Path) -> None:
    said_in(home, ".env", {"home": "../data", "host": "0.0.0.0", "token": "x" * 20})
    with pytest.raises(Unsafe, match=r"use --home or CVSERVE_HOME in the environment, or read \.env and run"):
        find_home()
    with pytest.raises(Unsafe, match=r"use CVSERVE_HOME in the environment, or read \.env and run"):
        History.open()
    words = r"\(also of home, token\) .* --host or CVSERVE_HOST, CVSERVE_HOME, CVSERVE_TOKEN in the environment"
    with pytest.raises(Unsafe, match=words):
        load_configuration({"host": None}, {}, home)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.9.9.9"])
def test_a_loopback_address_is_for_any_folder_to_say(home: Path, host: str) -> None:
    said_in(home, ".env", {"host": host, "token": "x" * 20, "public_health": "1"})
    assert load_configuration({}, {}, home).settings.host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "0", "127.1", "10.0.0.1", "localhost.evil.example", "2130706433"])
def test_an_address_that_may_be_another_one_is_not(home: Path, host: str) -> None:
    said_in(home, "cvserve.toml", {"host": host})
    with pytest.raises(Unsafe, match=r"host is '.*' \(cvserve.toml\), which other machines can reach"):
        load_configuration({}, {}, home)
    # Who says it by hand is not asked about the file.
    assert load_configuration({"host": host}, {}, home).settings.host == host
    assert load_configuration({}, {"CVSERVE_HOST": host}, home).settings.host == host


def test_what_is_the_default_anyway_is_for_any_folder_to_say(home: Path) -> None:
    said_in(home, ".env", {"no_auth": "false", "forwarded_allow_ips": "127.0.0.1", "home": "."})
    assert load_configuration({}, {}, home).claims == ()


def test_the_readme_of_settings_is_the_table() -> None:
    assert all(field.metadata["help"].endswith(".") for field in FIELDS.values())


def test_a_flag_of_zero_is_given(home: Path) -> None:
    said_in(home, ".env", {"workers": "4", "port": "9000", "log_keep": "5"})
    configuration = load_configuration({"workers": 0, "port": 0, "log_keep": 0, "no_auth": False}, {}, home)
    assert [getattr(configuration.settings, name) for name in ("workers", "port", "log_keep")] == [0, 0, 0]
    assert [configuration.origins[name] for name in ("workers", "port", "log_keep", "no_auth")] == [
        "flag",
        "flag",
        "flag",
        "default",
    ]
