"""From what people write to values: sizes, seconds, switches. Each raises ValueError with the way out."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([kmg]i?)?b?", re.IGNORECASE)
_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_SPAN = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*(ms|s|m|h|d|w)?", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_MAX_SECONDS = 100 * 365 * 86400.0
_MAX_BYTES = 2**50
# Pillow's names of the formats that it decodes by itself, without starting another program.
IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
BUILTIN_MODEL = "builtin"
# Classes in an answer: those of ImageNet-21k fit.
MAX_TOP_K = 30_000


def whole(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        # int() alone would take "１２", "1_000" and " 7 ".
        if not re.fullmatch(r"-?[0-9]{1,19}", text) or not low <= int(text) <= high:
            raise ValueError(f"give a whole number from {low} to {high}")
        return int(text)

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    """A parser of numbers from `low` to `high`."""

    def parse(text: str) -> float:
        # float() alone would take "nan", "1_0" and digits of other scripts.
        if not re.fullmatch(r"-?[0-9]{0,15}\.?[0-9]{0,15}", text) or not re.search(r"[0-9]", text):
            raise ValueError(f"give a number from {low} to {high}")
        if not low <= float(text) <= high:
            raise ValueError(f"give a number from {low} to {high}")
        return float(text)

    return parse


def one_of(*choices: str) -> Callable[[str], str]:
    """A parser of one word out of a few."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"give {', '.join(choices[:-1])} or {choices[-1]}")
        return text

    return parse


def size_bytes(text: str) -> int:
    """Bytes: `20MiB`, `20MB`, `1048576`."""
    match = _SIZE.fullmatch(text.strip())
    size = round(float(match[1]) * _FACTORS[(match[2] or "").lower()]) if match else 0
    if not 1 <= size <= _MAX_BYTES:
        raise ValueError("give a size such as 20MiB")
    return size


def seconds(text: str) -> float:
    """Seconds: `30`, `30s`, `1.5m`, `500ms`, `2h`, `90d`."""
    match = _SPAN.fullmatch(text.strip())
    span = float(match[1]) * _SECONDS[(match[2] or "").lower()] if match else 0.0
    if not 0 < span <= _MAX_SECONDS:
        raise ValueError("give a time such as 30s, 5m, 12h or 90d")
    return span


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in a time, as people write it: `50/s`.

    Attributes:
        count: how many.
        unit: of which time: `s`, `m` or `h`.
    """

    count: int
    unit: str = "s"

    @property
    def seconds(self) -> float:
        """The time."""
        return _SECONDS[self.unit]

    def describe(self) -> str:
        """Write it in the middle of a sentence: `50 requests a second`."""
        word = {"s": "a second", "m": "a minute", "h": "an hour"}[self.unit]
        return f"{self.count} request{'s' if self.count > 1 else ''} {word}"

    def __str__(self) -> str:
        """As it is written in a setting."""
        return f"{self.count}/{self.unit}"


def rate(text: str) -> Rate:
    """So many in a second, a minute or an hour: `50/s`, `100/m`, `5000/h`."""
    match = re.fullmatch(r"([0-9]{1,9})\s*/\s*([smh])", text.strip().lower())
    if match is None or int(match[1]) == 0:
        raise ValueError("give a number of requests in a second, a minute or an hour, such as 50/s, 100/m or 5000/h")
    return Rate(int(match[1]), match[2])


def duration(text: str) -> float:
    """Seconds, also of several parts as Locust writes them: `90`, `20m`, `1h30m`."""
    parts = re.findall(r"[0-9.]+[a-z]+", text.strip().lower())
    if len(parts) < 2 or "".join(parts) != text.strip().lower():
        return seconds(text)
    return sum(seconds(part) for part in parts)


def milliseconds(text: str) -> float:
    """Milliseconds of a time with its unit: `200ms`, `1.5s`. A bare number could be either."""
    if not text.strip()[-1:].isalpha():
        raise ValueError("give a time with its unit, such as 200ms or 1.5s")
    return seconds(text) * 1000


def share(text: str) -> float:
    """A part of all, 0 to 1: `0.1%`, `0.001`."""
    try:
        return number(0, 100)(text.strip()[:-1]) / 100 if text.strip().endswith("%") else number(0, 1)(text.strip())
    except ValueError:
        raise ValueError("give a share such as 0.1% or 0.001") from None


def moment(text: str) -> datetime:
    """A point in time: ISO 8601 (without a zone: UTC), or a span back from now such as `7d`."""
    try:
        if not text.strip().isdigit():  # `2026` alone is neither
            return datetime.now(UTC) - timedelta(seconds=seconds(text))
    except ValueError:
        pass  # no span: a date then
    try:
        read = datetime.fromisoformat(text.strip())
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("give a time such as 2026-11-23, 2026-11-23T01:02:03Z or 7d") from None


def boolean(text: str) -> bool:
    """A switch: 1, true, yes, on; 0, false, no, off."""
    word = text.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off", ""):
        return False
    raise ValueError("give true or false")


def path(text: str) -> Path:
    """A path; `~` is the home folder."""
    if not text or "\0" in text:
        raise ValueError("give a path")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError("give a path; there is no such user") from None


def host(text: str) -> str:
    """An address or a name; an empty one would mean every address."""
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("give an address such as 127.0.0.1, or 0.0.0.0 for all")
    return text


def host_names(text: str) -> tuple[str, ...]:
    """Names or addresses of hosts without a port, separated by commas; `*.example.org` is all names below it."""
    names = texts(text.lower())
    if not all(re.fullmatch(r"(\*\.)?[a-z0-9._-]{1,253}|\[?[0-9a-f:.]+\]?", name) for name in names):
        raise ValueError("give names such as digits.example.org, without a port")
    return names


def model(text: str) -> str | None:
    """A model file or `my_model.py:ClassName`, `~` for the home folder, or `package.module:ClassName`.

    Returns:
        None for `builtin`, the built-in model; a file of that name is `./builtin`.
    """
    if not text or "\0" in text:
        raise ValueError("give a model file")
    if text == BUILTIN_MODEL:
        return None
    return str(path(text)) if text.startswith("~") else text


def texts(text: str) -> tuple[str, ...]:
    """Words separated by commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def image_formats(text: str) -> tuple[str, ...]:
    """Pillow's names of formats, separated by commas."""
    names = tuple(word.upper().replace("JPG", "JPEG") for word in texts(text))
    if not names or any(name not in IMAGE_FORMATS for name in names):
        raise ValueError(f"give some of {', '.join(IMAGE_FORMATS)}")
    return names


def sha256(text: str) -> str:
    """64 hex digits."""
    digits = text.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError("give 64 hex digits")
    return digits


def token(text: str) -> str:
    """1 to 256 visible ASCII characters, as they can stand in a header."""
    stripped = text.strip()
    if not re.fullmatch(r"[!-~]{1,256}", stripped):
        raise ValueError("give 1 to 256 visible ASCII characters without spaces")
    return stripped


def root_path(text: str) -> str:
    """A path prefix: `/models/digits`."""
    prefix = text.rstrip("/")
    if prefix and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", prefix):
        raise ValueError("give a path such as /models/digits")
    return prefix


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host in ("localhost", "127.0.0.1"):
        return True
    import ipaddress  # for the few who listen elsewhere

    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
