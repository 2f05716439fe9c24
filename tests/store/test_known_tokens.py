"""Tokens that a database came with are told apart from those that its user has made or looked at."""

from pathlib import Path

import pytest

from cvserve.store.database import prepare_database
from cvserve.store.known_tokens import find_unknown, note_known
from cvserve.store.tokens import TokenStore


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "state" / "cvserve" / "known_tokens.json"


@pytest.fixture
def store(home: Path) -> TokenStore:
    prepare_database(home / "cvserve.db")
    return TokenStore(home / "cvserve.db")


def test_a_token_is_unknown_until_it_is_noted(store: TokenStore, record: Path) -> None:
    tokens = [store.create(name)[1] for name in ("alice", "bob")]
    assert find_unknown(tokens) == tokens
    note_known(tokens[:1])
    assert find_unknown(store.list_tokens()) == tokens[1:]
    assert record.stat().st_mode & 0o777 == 0o600
    assert str(tokens[0].digest) not in record.read_text()


def test_one_of_the_same_name_is_another_one(store: TokenStore) -> None:
    note_known([store.create("alice")[1]])
    store.revoke("alice")
    again = store.create("alice")[1]
    assert find_unknown(store.list_tokens()) == [again]


def test_what_opens_nothing_any_more_is_left_out(store: TokenStore) -> None:
    store.create("alice")
    store.revoke("alice")
    assert find_unknown(store.list_tokens()) == []


@pytest.mark.parametrize("damage", ["mode", "text"])
def test_a_record_that_cannot_be_relied_on_hides_nothing(store: TokenStore, record: Path, damage: str) -> None:
    token = store.create("alice")[1]
    note_known([token])
    if damage == "mode":
        record.chmod(0o666)
    else:
        record.write_text("[")
    assert find_unknown([token]) == [token]
    note_known([token])  # neither mended nor an error


def test_where_nothing_can_be_written_nothing_is_noted(store: TokenStore, record: Path) -> None:
    record.parent.parent.write_text("a file in the place of the folder")
    token = store.create("alice")[1]
    note_known([token])
    assert find_unknown([token]) == [token]
