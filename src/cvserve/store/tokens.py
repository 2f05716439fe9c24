"""Tokens: made once, shown once, stored as a digest.

A token is `cvs_`, 43 characters for 256 random bits, and 4 characters of checksum, so that a typing error
and a secret scanner can both tell what it is. A random 256-bit secret needs no slow hash: SHA-256 will do.
"""

import hashlib
import secrets
import string
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cvserve.errors import InvalidSetting, NotFound
from cvserve.store.database import connect
from cvserve.store.sqlite import translate_errors
from cvserve.timestamps import format_timestamp

SCOPES = ("predict", "history", "metrics", "admin")
ENVIRONMENT_NAME = "env"
ANONYMOUS_NAME = "anonymous"
PREFIX = "cvs_"
MAX_LENGTH = 256
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RESERVED = (ENVIRONMENT_NAME, ANONYMOUS_NAME, "-")
_COLUMNS = "t.id, t.name, t.prefix, t.digest, t.scopes, t.created_at, t.expires_at, t.revoked_at, u.last_used_at"
_FROM = "FROM tokens t LEFT JOIN token_usage u ON u.token_id = t.id"


@dataclass(frozen=True, slots=True)
class Token:
    """A row of `tokens`; the secret itself is nowhere.

    Attributes:
        prefix: the first characters of the secret, to recognise it.
        digest: SHA-256 of the secret, 64 hex digits; None for a name that only stands for somebody.
        last_used_at: of the last prediction.
    """

    id: int
    name: str
    prefix: str | None
    digest: str | None
    scopes: frozenset[str]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None

    def is_valid(self, now: str) -> bool:
        """Whether it opens anything at `now` (a timestamp as in the table)."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def to_dict(self) -> dict[str, Any]:
        """For `token list --json`: everything but the digest."""
        names = ("id", "name", "prefix", "created_at", "expires_at", "revoked_at", "last_used_at")
        return {name: getattr(self, name) for name in names} | {"scopes": sorted(self.scopes)}


def compute_digest(secret: str) -> str:
    """What is stored in place of a token: its SHA-256, 64 hex digits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def make_secret() -> str:
    """A new token: `cvs_`, 43 characters of 256 random bits, 4 of checksum."""
    number = int.from_bytes(secrets.token_bytes(32), "big")
    body = PREFIX + _to_base62(number, 43)
    return body + _to_base62(zlib.crc32(body.encode("ascii")) % 62**4, 4)


class TokenStore:
    """The table `tokens`, for any process; each call is one short transaction of its own.

    Args:
        path: a prepared database.
    """

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)

    def close(self) -> None:
        """Close the connection; the store cannot be used afterwards."""
        self._connection.close()

    def __enter__(self) -> "TokenStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def list_tokens(self) -> list[Token]:
        """Every token there ever was, oldest first, without the rows that only stand for `env` and `anonymous`.

        Raises:
            HistoryError: the table cannot be read.
        """
        return [token for token in self.list_rows() if token.digest is not None]

    def list_rows(self) -> list[Token]:
        """Every row of the table, also those that only stand for `env` and `anonymous`.

        Raises:
            HistoryError: the table cannot be read.
        """
        with translate_errors():
            rows = self._connection.execute(f"SELECT {_COLUMNS} {_FROM} ORDER BY t.id").fetchall()
        columns = [(*row[:4], frozenset(row[4].split()), *row[5:]) for row in rows]
        return [Token(*values) for values in columns]

    def create(
        self, name: str, scopes: tuple[str, ...] = ("predict",), lifetime: timedelta | None = None
    ) -> tuple[str, Token]:
        """Make a token.

        Args:
            name: whom it is for, 1 to 64 visible characters.
            scopes: what it opens, some of `SCOPES`.
            lifetime: from now on; None: for ever.

        Returns:
            The secret, which is stored nowhere, and the row.

        Raises:
            InvalidSetting: the name is taken, reserved or empty, or a scope does not exist.
        """
        _check_name(name)
        if unknown := [scope for scope in scopes if scope not in SCOPES]:
            raise InvalidSetting(f"There is no scope '{unknown[0]}'; there are {', '.join(SCOPES)}.")
        secret = make_secret()
        now = datetime.now(UTC)
        expires_at = format_timestamp(now + lifetime) if lifetime is not None else None
        values = (name, secret[:8], compute_digest(secret), " ".join(scopes), format_timestamp(now), expires_at)
        with translate_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                if any(token.name == name and token.revoked_at is None for token in self.list_rows()):
                    raise InvalidSetting(
                        f"There is a token '{name}' already; take another name or run: cvserve token revoke {name}"
                    )
                cursor = self._connection.execute(
                    "INSERT INTO tokens (name, prefix, digest, scopes, created_at, expires_at)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    values,
                )
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        return secret, self._read_token(cursor.lastrowid or 0)

    def revoke(self, name: str) -> Token:
        """Refuse the token of that name from now on; it stays in the table, and so does who used it.

        Raises:
            NotFound: no token of that name is alive.
        """
        with translate_errors():
            row = self._connection.execute(
                "UPDATE tokens SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL AND digest IS NOT NULL"
                " RETURNING id",
                (format_timestamp(), name),
            ).fetchall()
        if not row:
            raise NotFound(f"There is no token '{name}' to revoke; see: cvserve token list")
        return self._read_token(row[0][0])

    def find_stand_in(self, name: str) -> int:
        """Id of the row that stands for `env` or `anonymous`, so that the history can name them; made when needed.

        Raises:
            HistoryError: the table cannot be read or written.
        """
        with translate_errors():
            row = self._connection.execute("SELECT id FROM tokens WHERE name = ? AND digest IS NULL", [name]).fetchone()
            if row is None:
                row = self._connection.execute(
                    "INSERT INTO tokens (name, scopes, created_at) VALUES (?, ?, ?) RETURNING id",
                    (name, " ".join(SCOPES), format_timestamp()),
                ).fetchall()[0]
        return int(row[0])

    def _read_token(self, token_id: int) -> Token:
        return next(token for token in self.list_rows() if token.id == token_id)


def _check_name(name: str) -> None:
    if not name or len(name) > 64 or not name.isprintable() or name != name.strip() or "|" in name:
        raise InvalidSetting(f"'{name}' is no name for a token; take 1 to 64 visible characters.")
    if name in _RESERVED:
        raise InvalidSetting(f"The name '{name}' is taken by cvserve itself; take another one.")


def _to_base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))
