"""The one table of settings: name, default, unit and help of each; flags, variables and docs come from it."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from cvserve import values
from cvserve.devices import parse_device
from cvserve.errors import InvalidSetting, Unsafe
from cvserve.model_name import class_reference
from cvserve.setting_field import Reach, setting

DATABASE_NAME = "cvserve.db"  # the history of a folder


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a server runs with; see `docs/settings.md` for the table."""

    host: str = setting("127.0.0.1", "Address to listen on.", values.host, reach=Reach.LOOPBACK)
    port: int = setting(
        8000, "Port to listen on; 0 takes a free one.", values.whole(0, 65535), alias="PORT", reach=Reach.FOLDER
    )
    home: Path = setting(Path(), "Folder of cvserve.db and output.log.", values.path, metavar="DIR", reach=Reach.INSIDE)
    model: str | None = setting(
        None,
        "Model file or folder, a class or function (my_model.py:MyModel, torchvision.models:resnet18), or timm:NAME; "
        "default: builtin, the built-in model for digits.",
        values.model,
        alias="MODEL_PATH",
        reach=Reach.FOLDER,
    )
    weights: Path | None = setting(
        None,
        "Weights of what --model names, such as best.pth or best.safetensors; or a folder.",
        values.path,
        loads_model=True,
        of_one_model=True,
        metavar="FILE",
        reach=Reach.INSIDE,
    )
    model_config: Path | None = setting(
        None,
        "Use this model.toml instead of the one beside the model.",
        values.path,
        loads_model=True,
        of_one_model=True,
        metavar="FILE",
        reach=Reach.INSIDE,
    )
    model_sha256: str | None = setting(
        None,
        "Load the model only if its file has this SHA-256.",
        values.sha256,
        reach=Reach.PERSON,
        loads_model=True,
        metavar="HEX",
    )
    trust_type: tuple[str, ...] = setting(
        (),
        "Types outside of scikit-learn that a skops file may hold, separated by commas.",
        values.texts,
        reach=Reach.PERSON,
        loads_model=True,
    )
    compile: str = setting(
        "auto",
        "Run a scikit-learn model as ONNX (extra onnx): auto (if its answers stay the same), never, or require.",
        values.one_of("auto", "never", "require"),
        loads_model=True,
        reach=Reach.FOLDER,
    )
    device: str = setting(
        "auto",
        "Where the model computes: auto (CUDA where there is one), cpu, cuda, cuda:1, mps, openvino or tensorrt.",
        parse_device,
        loads_model=True,
        reach=Reach.FOLDER,
    )
    half: bool = setting(
        False,
        "Compute in half precision: float16, on the CPU bfloat16.",
        values.boolean,
        loads_model=True,
        reach=Reach.FOLDER,
    )
    workers: int | None = setting(
        None,
        "Worker processes; default: one a core, on a device one. 0: threads of the server's own process.",
        values.whole(0, 256),
        reach=Reach.FOLDER,
    )
    worker_memory: int | None = setting(
        None,
        "A worker whose memory has grown above this is replaced; default: never.",
        values.size_bytes,
        reach=Reach.FOLDER,
    )
    max_batch_size: int = setting(
        64, "Pictures that one model call takes, at most.", values.whole(1, 4096), reach=Reach.FOLDER
    )
    max_queue: int = setting(
        1024, "Requests that may wait for the model.", values.whole(1, 1_000_000), reach=Reach.FOLDER
    )
    max_queue_bytes: int = setting(
        256 * 1024**2, "Bytes of all requests that may be in memory.", values.size_bytes, reach=Reach.FOLDER
    )
    max_body: int = setting(20 * 1024**2, "Largest body of POST /predict.", values.size_bytes, reach=Reach.FOLDER)
    max_pixels: int = setting(
        64_000_000,
        "Largest width × height of a picture; half of it of a WebP.",
        values.whole(1, 1_000_000_000),
        reach=Reach.FOLDER,
    )
    formats: tuple[str, ...] = setting(
        ("JPEG", "PNG", "WEBP"),
        "Image formats that are decoded, by Pillow's names.",
        values.image_formats,
        reach=Reach.FOLDER,
    )
    decode_timeout: float = setting(
        2.0, "Longest CPU time for decoding one picture.", values.seconds, reach=Reach.FOLDER
    )
    predict_timeout: float = setting(30.0, "Longest time of one prediction.", values.seconds, reach=Reach.FOLDER)
    rate_limit: values.Rate | None = setting(
        None, "Requests that a token may send, such as 50/s or 100/m; default: any.", values.rate, reach=Reach.FOLDER
    )
    body_timeout: float = setting(900.0, "Longest time for a body to arrive.", values.seconds, reach=Reach.FOLDER)
    min_body_rate: int = setting(
        8192,
        "Bytes a second at which a body must come, on the average, after the first ten seconds.",
        values.size_bytes,
        reach=Reach.FOLDER,
    )
    min_read_rate: int = setting(
        8192,
        "Bytes a second at which an answer must be taken, on the average, after ten seconds.",
        values.size_bytes,
        reach=Reach.FOLDER,
    )
    shutdown_timeout: float = setting(
        30.0, "How long a stop waits for requests that run.", values.seconds, reach=Reach.FOLDER
    )
    top_k: int = setting(
        5,
        "Classes in an answer; a request may ask for another number.",
        values.whole(1, values.MAX_TOP_K),
        reach=Reach.FOLDER,
    )
    durability: str = setting(
        "full",
        "full: each answer survives a power cut; normal: those of the last second may not.",
        values.one_of("full", "normal"),
        reach=Reach.FOLDER,
    )
    log_format: str = setting(
        "text", "Lines of output.log: text or json.", values.one_of("text", "json"), reach=Reach.FOLDER
    )
    log_keep: int | None = setting(
        None, "Rotated log files to keep; default: nothing is deleted.", values.whole(0, 100_000), reach=Reach.FOLDER
    )
    token: str | None = setting(
        None,
        "One fixed token with all scopes, for containers.",
        values.token,
        secret=True,
        flag=False,
        reach=Reach.LOOPBACK,
    )
    token_file: Path | None = setting(
        None, "A file that holds the fixed token.", values.path, reach=Reach.INSIDE_LOOPBACK
    )
    no_auth: bool = setting(False, "Ask for no token; only on a loopback address.", values.boolean, reach=Reach.TRUSTED)
    allowed_hosts: tuple[str, ...] = setting(
        (),
        "Names that a request's Host may have, separated by commas; default: any, with no_auth only this machine's.",
        values.host_names,
        reach=Reach.TRUSTED,
    )
    public_health: bool = setting(
        False, "Answer /livez and /readyz without a token.", values.boolean, reach=Reach.LOOPBACK
    )
    forwarded_allow_ips: str = setting(
        "127.0.0.1", "Proxies whose X-Forwarded-For is believed.", alias="FORWARDED_ALLOW_IPS", reach=Reach.TRUSTED
    )
    root_path: str = setting("", "Path under which a proxy mounts the server.", values.root_path, reach=Reach.FOLDER)
    ssl_certfile: Path | None = setting(None, "Certificate, PEM.", values.path, reach=Reach.INSIDE)
    ssl_keyfile: Path | None = setting(None, "Key of the certificate, PEM.", values.path, reach=Reach.INSIDE)
    cors_origin: tuple[str, ...] = setting(
        (), "Origins whose pages may call, separated by commas.", values.texts, reach=Reach.TRUSTED
    )
    # Said by nobody, but known of `model`: who runs a command means the class that it names; a folder's `.env` or
    # `cvserve.toml` may be a stranger's.
    model_named_by_file: bool = False

    def __post_init__(self) -> None:
        """Check what no single value can tell."""
        if self.no_auth and not values.is_loopback(self.host):
            raise Unsafe(
                f"no_auth is for loopback only, and host is '{self.host}'; drop --no-auth, or listen on 127.0.0.1."
            )
        if self.no_auth and (self.token or self.token_file):
            raise InvalidSetting("no_auth and a token contradict each other; drop one of them.")
        if (self.ssl_certfile is None) != (self.ssl_keyfile is None):
            raise InvalidSetting("ssl_certfile and ssl_keyfile go together; give both or none.")

    @property
    def model_is_code(self) -> bool:
        """Whether a person named a class to run, so that nobody need be asked whether they trust it."""
        named = self.model is not None and class_reference(self.model) is not None
        return named and not self.model_named_by_file

    @property
    def database_path(self) -> Path:
        """The history."""
        return self.home / DATABASE_NAME

    @property
    def log_path(self) -> Path:
        """The access log."""
        return self.home / "output.log"


FIELDS = {field.name: field for field in dataclasses.fields(Settings) if field.metadata}
# Beside `model`: what every command that loads one has an option for.
MODEL_SETTINGS = tuple(name for name, field in FIELDS.items() if field.metadata["loads_model"])


def variable(name: str) -> str:
    """The environment variable of a setting: `max_queue` -> `CVSERVE_MAX_QUEUE`."""
    return f"CVSERVE_{name.upper()}"


def flag(name: str) -> str:
    """The option of `serve`: `max_queue` -> `--max-queue`."""
    return f"--{name.replace('_', '-')}"
