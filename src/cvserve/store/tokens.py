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
from cvserve.store.sqlite import translated
from cvserve.timestamps import timestamp

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


def digest_of(secret: str) -> str:
    """SHA-256, 64 hex digits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def new_secret() -> str:
    """A fresh token."""
    number = int.from_bytes(secrets.token_bytes(32), "big")
    body = PREFIX + _base62(number, 43)
    return body + _base62(zlib.crc32(body.encode("ascii")) % 62**4, 4)


class TokenStore:
    """The table `tokens`, for any process; each call is one short transaction of its own.

    Args:
        path: a prepared database.
    """

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    def __enter__(self) -> "TokenStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def all(self) -> list[Token]:
        """Every token there ever was, oldest first, without the names that only stand for somebody."""
        return [token for token in self.rows() if token.digest is not None]

    def rows(self) -> list[Token]:
        """Every row.

        Raises:
            HistoryError: the table cannot be read.
        """
        with translated():
            rows = self._connection.execute(f"SELECT {_COLUMNS} {_FROM} ORDER BY t.id").fetchall()
        columns = [(*row[:4], frozenset(row[4].split()), *row[5:]) for row in rows]
        return [Token(*values) for values in columns]

    def create(
        self, name: str, scopes: tuple[str, ...] = ("predict",), lifetime: timedelta | None = None
    ) -> tuple[str, Token]:
        """Make a token; its secret is in the answer and nowhere else.

        Raises:
            InvalidSetting: the name is taken, reserved or empty, or a scope does not exist.
        """
        _check_name(name)
        if unknown := [scope for scope in scopes if scope not in SCOPES]:
            raise InvalidSetting(f"There is no scope '{unknown[0]}'; there are {', '.join(SCOPES)}.")
        secret = new_secret()
        now = datetime.now(UTC)
        expires_at = timestamp(now + lifetime) if lifetime is not None else None
        values = (name, secret[:8], digest_of(secret), " ".join(scopes), timestamp(now), expires_at)
        with translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                if any(token.name == name and token.revoked_at is None for token in self.rows()):
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
        return secret, self._by_id(cursor.lastrowid or 0)

    def revoke(self, name: str) -> Token:
        """Refuse the token of that name from now on; it stays in the table, and so does who used it.

        Raises:
            NotFound: no token of that name is alive.
        """
        with translated():
            row = self._connection.execute(
                "UPDATE tokens SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL AND digest IS NOT NULL"
                " RETURNING id",
                (timestamp(), name),
            ).fetchall()
        if not row:
            raise NotFound(f"There is no token '{name}' to revoke; see: cvserve token list")
        return self._by_id(row[0][0])

    def stand_in(self, name: str) -> int:
        """Id of the row that stands for `env` or `anonymous`, so that the history can name them."""
        with translated():
            row = self._connection.execute("SELECT id FROM tokens WHERE name = ? AND digest IS NULL", [name]).fetchone()
            if row is None:
                row = self._connection.execute(
                    "INSERT INTO tokens (name, scopes, created_at) VALUES (?, ?, ?) RETURNING id",
                    (name, " ".join(SCOPES), timestamp()),
                ).fetchall()[0]
        return int(row[0])

    def _by_id(self, token_id: int) -> Token:
        return next(token for token in self.rows() if token.id == token_id)


def _check_name(name: str) -> None:
    if not name or len(name) > 64 or not name.isprintable() or name != name.strip() or "|" in name:
        raise InvalidSetting(f"'{name}' is no name for a token; take 1 to 64 visible characters.")
    if name in _RESERVED:
        raise InvalidSetting(f"The name '{name}' is taken by cvserve itself; take another one.")


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))
