"""The access log `output.log`: one line for each response, whatever its status."""

import asyncio
import json
import re
import time
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from cvserve.logs.file import LogFile
from cvserve.texts import escape_unprintable

_TOKEN = re.compile(r"cvs_[0-9A-Za-z]{8,}")
_MAX_FIELD_CHARACTERS = 1_024
_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode


class AccessRecord(NamedTuple):
    """One response.

    Attributes:
        client: address. who: name of the token, `-` for nobody.
        path: as it was sent, still percent-encoded, without the query.
        duration_ms: from the request's head to its last byte.
        bytes_in, bytes_out: of bodies.
        prediction_id: what was stored; several are joined by commas.
        user_agent: in JSON lines only.
    """

    client: str
    who: str
    method: str
    path: str
    status: int
    duration_ms: float
    bytes_in: int
    bytes_out: int
    prediction_id: str | None
    request_id: str
    user_agent: str | None


class AccessLog:
    """`output.log`: one line for each response, written by this process alone.

    Args:
        path: the file.
        line_format: `text` or `json`.
        keep: rotated files to keep; None keeps all.
        secrets: fixed tokens that must never show up, even where a client put one into a path.

    Raises:
        Unsafe, CannotStart: the file is a link, a pipe or a folder, or cannot be written.
    """

    def __init__(
        self, path: Path, line_format: str = "text", keep: int | None = None, secrets: tuple[str, ...] = ()
    ) -> None:
        self._file = LogFile(path, keep=keep)
        self._as_line = _json_line if line_format == "json" else _text_line
        self._secrets = secrets
        self._gathered: list[tuple[str, asyncio.Future[None]]] = []
        self._is_open = True

    @property
    def lines_waiting(self) -> int:
        """Lines that the disk did not take yet."""
        return self._file.lines_waiting

    @property
    def lines_lost(self) -> int:
        """Lines that were given up, since too many waited."""
        return self._file.lines_lost

    def write(self, record: AccessRecord) -> None:
        """Write one line; returns when the kernel has it."""
        self._write_lines([self._line_of(record)])

    def written(self, record: AccessRecord) -> "asyncio.Future[None]":
        """Ends when the kernel has the line; one write for all that are ready in this turn of the event loop.

        A write lets go of the interpreter's lock, and getting it back from busy workers takes longer than all
        the rest of a request.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if not self._gathered:
            loop.call_soon(self._write_gathered)
        self._gathered.append((self._line_of(record), future))
        return future

    def _write_gathered(self) -> None:
        gathered, self._gathered = self._gathered, []
        try:
            self._write_lines([line for line, _ in gathered])
        except Exception as error:
            failure: Exception | None = error
        else:
            failure = None
        for _, future in gathered:
            if future.done():
                continue  # its request was cancelled; the line stands all the same
            if failure is None:
                future.set_result(None)
            else:
                future.set_exception(failure)

    def _write_lines(self, lines: list[str]) -> None:
        # Not through loguru: a message takes it 11 µs where the write takes 1.5, and all that it would add is left out.
        if lines and self._is_open:
            self._file.write_lines("".join([f"{line}\n" for line in lines]))

    def _line_of(self, record: AccessRecord) -> str:
        path = unquote(record.path, "latin-1") if "%" in record.path else record.path
        if self.is_secret(path):
            record = record._replace(path=self._without_secrets(path))
        if record.user_agent and self.is_secret(record.user_agent):
            record = record._replace(user_agent=self._without_secrets(record.user_agent))
        return self._as_line(record)

    def is_secret(self, text: str) -> bool:
        """Whether a token is in it."""
        # Asked of every request, and nearly always without a token: a plain search first, and no loop over nothing.
        if "cvs_" in text and _TOKEN.search(text):
            return True
        return bool(self._secrets) and any(secret in text for secret in self._secrets)

    def _without_secrets(self, text: str) -> str:
        text = _TOKEN.sub("cvs_***", text)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def close(self) -> None:
        """Write what waits and give the file back. May be called twice."""
        if self._is_open:
            self._write_gathered()
            self._is_open = False
            self._file.close()


@lru_cache(maxsize=256)  # names, methods and paths are nearly always the same ones
def printable(text: str) -> str:
    r"""The text on one line: control, direction and other invisible characters as `\x1b` or `\u2028`."""
    return escape_unprintable(text[:_MAX_FIELD_CHARACTERS])


def _now() -> str:
    second, millisecond = divmod(time.time_ns() // 1_000_000, 1_000)
    return f"{_until_second(second)}.{millisecond:03d}Z"


@lru_cache(maxsize=1)
def _until_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _text_line(record: AccessRecord) -> str:
    prediction = f"id={record.prediction_id}" if record.prediction_id else "-"
    return (
        f"{_now()} | {_word(record.client)} | {printable(record.who)} | {printable(record.method)}"
        f" {_word(record.path)} | {record.status} | {record.duration_ms}ms | {record.bytes_in}B in"
        f" | {record.bytes_out}B out | {prediction} | req={record.request_id}"
    )


def _word(text: str) -> str:
    """A field that has no blank in it: what separates the fields cannot be forged."""
    shown = printable(text)
    return shown.replace(" ", r"\x20") if " " in shown else shown


def _json_line(record: AccessRecord) -> str:
    fields = {name: printable(value) if isinstance(value, str) else value for name, value in record._asdict().items()}
    return _json({"time": _now(), **fields})
