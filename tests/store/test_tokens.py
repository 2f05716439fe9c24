"""Tokens in the store: made once, kept as a digest, refused from the moment they are revoked or expired."""

import hashlib
import string
import zlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cvserve.errors import InvalidSetting, NotFound
from cvserve.history.history import History
from cvserve.store.tokens import SCOPES, TokenStore, compute_digest, make_secret
from cvserve.timestamps import format_timestamp


@pytest.fixture
def store(home: Path) -> Iterator[TokenStore]:
    History.open(home).close()
    with TokenStore(home / "cvserve.db") as opened:
        yield opened


def test_a_secret_has_a_prefix_256_bits_and_a_checksum() -> None:
    alphabet = string.digits + string.ascii_uppercase + string.ascii_lowercase
    secrets = {make_secret() for _ in range(200)}
    assert len(secrets) == 200
    for secret in secrets:
        assert len(secret) == 51
        assert secret.startswith("cvs_")
        assert set(secret[4:]) <= set(alphabet)
        number = sum(alphabet.index(digit) * 62**at for at, digit in enumerate(reversed(secret[-4:])))
        assert number == zlib.crc32(secret[:-4].encode()) % 62**4
    assert len({secret[4:12] for secret in secrets}) == 200


def test_only_a_digest_is_kept(store: TokenStore, home: Path) -> None:
    secret, token = store.create("ci", ("predict", "history"))
    assert token.digest == hashlib.sha256(secret.encode()).hexdigest() == compute_digest(secret)
    assert token.prefix == secret[:8]
    store.close()
    assert secret.encode() not in b"".join(path.read_bytes() for path in home.iterdir())


def test_a_revoked_or_expired_token_opens_nothing(store: TokenStore) -> None:
    _, forever = store.create("a")
    _, short = store.create("b", lifetime=timedelta(hours=1))
    assert forever.is_valid("9999-01-01T00:00:00.000Z")
    assert short.is_valid(format_timestamp())
    assert not short.is_valid(short.expires_at or "")
    assert not store.revoke("a").is_valid(format_timestamp())


def test_names_are_unique_among_the_living(store: TokenStore) -> None:
    store.create("a")
    with pytest.raises(InvalidSetting, match="cvserve token revoke a"):
        store.create("a")
    store.revoke("a")
    store.create("a")
    assert [token.name for token in store.list_tokens()] == ["a", "a"]


@pytest.mark.parametrize("name", ["env", "anonymous", "-", "", " a", "a ", "a\nb", "a|b", "x" * 65, "\x1b[31m"])
def test_some_names_are_refused(store: TokenStore, name: str) -> None:
    with pytest.raises(InvalidSetting):
        store.create(name)
    assert store.list_tokens() == []


@pytest.mark.parametrize("scope", ["all", "", "Predict", "predict "])
def test_scopes_are_those_of_the_list(store: TokenStore, scope: str) -> None:
    with pytest.raises(InvalidSetting, match="predict, history, metrics, admin"):
        store.create("a", (scope,))
    assert store.create("b", SCOPES)[1].scopes == set(SCOPES)


def test_revoking_the_unknown_is_an_error(store: TokenStore) -> None:
    store.create("a")
    store.revoke("a")
    for name in ("a", "b", "env"):
        with pytest.raises(NotFound, match="token list"):
            store.revoke(name)


def test_stand_ins_name_somebody_in_the_history_and_are_no_tokens(store: TokenStore) -> None:
    first = store.find_stand_in("env")
    assert store.find_stand_in("env") == first
    assert store.list_tokens() == []
    assert [token.name for token in store.list_rows()] == ["env"]


def test_a_dict_for_programs_has_no_digest(store: TokenStore) -> None:
    _, token = store.create("a")
    assert set(token.to_dict()) == {
        "id", "name", "prefix", "created_at", "expires_at", "revoked_at", "last_used_at", "scopes"
    }  # fmt: skip
