"""Tokens made before a server starts, so that it knows them from its first request on."""

from datetime import timedelta
from pathlib import Path

from cvserve.store.database import prepare_database
from cvserve.store.tokens import TokenStore


def make_token(home: Path, name: str, *scopes: str, lifetime: timedelta | None = None) -> str:
    """The secret of a new token."""
    prepare_database(home / "cvserve.db")
    with TokenStore(home / "cvserve.db") as store:
        return store.create(name, scopes or ("predict",), lifetime)[0]


def revoke_token(home: Path, name: str) -> None:
    """Revoke it, as `cvserve token revoke` does."""
    with TokenStore(home / "cvserve.db") as store:
        store.revoke(name)
