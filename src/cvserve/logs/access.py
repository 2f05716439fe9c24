"""The access log `output.log`: one line for each response, whatever its status."""

import asyncio
import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from cvserve.logs.file import LogFile
from cvserve.logs.secret_mask import SecretMask
from cvserve.texts import escape_unprintable
from cvserve.timestamps import format_timestamp

_MAX_FIELD_CHARACTERS = 1_024
_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode


class AccessRecord(NamedTuple):
    """What the access log says of one response; the fields stand in the line in this order.

    Attributes:
        client: IP address of the client.
        who: name of the token, `-` without one.
        path: as it was sent, still percent-encoded, without the query.
        duration_ms: from the request's head to the last byte of the answer.
        bytes_in, bytes_out: size of the request's and the answer's body.
        prediction_id: id of the stored row; several are joined by commas.
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

    No text of a client can break a line or forge one, and no token is ever written.

    Args:
        path: the file.
        line_format: `text` or `json`.
        keep: rotated files to keep; None keeps all.
        mask: hides tokens, even where a client put one into a path; default: those of the table of tokens.

    Raises:
        Unsafe, CannotStart: the file is a link, a pipe or a folder, or cannot be written.
    """

    def __init__(
        self, path: Path, line_format: str = "text", keep: int | None = None, mask: SecretMask | None = None
    ) -> None:
        self._file = LogFile(path, keep=keep)
        self._format = _format_json if line_format == "json" else _format_text
        self._mask = mask or SecretMask()
        self._gathered: list[tuple[str, asyncio.Future[None]]] = []
        self._is_open = True

    @property
    def lines_waiting(self) -> int:
        """Number of lines that could not be written yet."""
        return self._file.lines_waiting

    @property
    def lines_lost(self) -> int:
        """Number of lines that were dropped, as too many waited."""
        return self._file.lines_lost

    def write(self, record: AccessRecord) -> None:
        """Write one line now; returns when the kernel has it."""
        self._write_lines([self._make_line(record)])

    def write_soon(self, record: AccessRecord) -> "asyncio.Future[None]":
        """Write one line together with all others of this turn of the event loop, in one system call.

        A system call releases the interpreter's lock, and getting it back from busy threads takes longer than the
        rest of a request.

        Returns:
            A future that ends when the kernel has the line.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if not self._gathered:
            loop.call_soon(self._write_gathered)
        self._gathered.append((self._make_line(record), future))
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
                continue  # its request was cancelled; the line is written all the same
            if failure is None:
                future.set_result(None)
            else:
                future.set_exception(failure)

    def _write_lines(self, lines: list[str]) -> None:
        # Not through loguru: it needs 11 µs for a message, the write 1.5 µs, and nothing that it adds is wanted.
        if lines and self._is_open:
            self._file.write_lines("".join([f"{line}\n" for line in lines]))

    def _make_line(self, record: AccessRecord) -> str:
        path = unquote(record.path, "latin-1") if "%" in record.path else record.path
        if self._mask.finds_secret(path):
            record = record._replace(path=self._mask.mask(path))
        if record.user_agent and self._mask.finds_secret(record.user_agent):
            record = record._replace(user_agent=self._mask.mask(record.user_agent))
        return self._format(record)

    def reopen(self) -> None:
        """Open the file anew: somebody has renamed or removed it."""
        if self._is_open:
            self._file.reopen()

    def close(self) -> None:
        """Write what waits and close the file. May be called twice."""
        if self._is_open:
            self._write_gathered()
            self._is_open = False
            self._file.close()


@lru_cache(maxsize=256)  # names, methods and paths are nearly always the same ones
def escape_field(text: str) -> str:
    r"""The text on one line: control, direction and other invisible characters as `\x1b` or `\u2028`."""
    return escape_unprintable(text[:_MAX_FIELD_CHARACTERS])


def _format_text(record: AccessRecord) -> str:
    prediction = f"id={record.prediction_id}" if record.prediction_id else "-"
    return (
        f"{format_timestamp()} | {_format_word(record.client)} | {escape_field(record.who)}"
        f" | {escape_field(record.method)} {_format_word(record.path)} | {record.status} | {record.duration_ms}ms"
        f" | {record.bytes_in}B in | {record.bytes_out}B out | {prediction} | req={record.request_id}"
    )


def _format_word(text: str) -> str:
    """A field that has no blank in it: what separates the fields cannot be forged."""
    shown = escape_field(text)
    return shown.replace(" ", r"\x20") if " " in shown else shown


def _format_json(record: AccessRecord) -> str:
    fields = {
        name: escape_field(value) if isinstance(value, str) else value for name, value in record._asdict().items()
    }
    return _json({"time": format_timestamp(), **fields})
