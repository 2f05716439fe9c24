"""Tokens that a database came with are told apart from those that its user has made or looked at."""

import os
import time
from pathlib import Path

import pytest

from cvserve.files import find_birth_s
from cvserve.store.database import prepare_database
from cvserve.store.known_tokens import can_remember, find_unknown, note_known
from cvserve.store.tokens import TokenStore

DATABASE = Path("cvserve.db")


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "state" / "cvserve" / "known_tokens.json"


@pytest.fixture
def store(home: Path) -> TokenStore:
    prepare_database(home / "cvserve.db")
    return TokenStore(home / "cvserve.db")


def test_a_token_is_unknown_until_it_is_noted(store: TokenStore, record: Path) -> None:
    tokens = [store.create(name)[1] for name in ("alice", "bob")]
    assert find_unknown(tokens, DATABASE) == tokens
    note_known(tokens[:1], DATABASE)
    assert find_unknown(store.list_tokens(), DATABASE) == tokens[1:]
    assert record.stat().st_mode & 0o777 == 0o600
    assert str(tokens[0].digest) not in record.read_text()


def test_one_of_the_same_name_is_another_one(store: TokenStore) -> None:
    note_known([store.create("alice")[1]], DATABASE)
    store.revoke("alice")
    again = store.create("alice")[1]
    assert find_unknown(store.list_tokens(), DATABASE) == [again]


def test_what_opens_nothing_any_more_is_left_out(store: TokenStore) -> None:
    store.create("alice")
    store.revoke("alice")
    assert find_unknown(store.list_tokens(), DATABASE) == []


@pytest.mark.parametrize("damage", ["mode", "text"])
def test_a_record_that_cannot_be_relied_on_hides_nothing(store: TokenStore, record: Path, damage: str) -> None:
    token = store.create("alice")[1]
    note_known([token], DATABASE)
    if damage == "mode":
        record.chmod(0o666)
    else:
        record.write_text("[")
    assert find_unknown([token], DATABASE) == [token]
    assert not can_remember(DATABASE)
    note_known([token], DATABASE)  # neither mended nor an error


def test_where_nothing_can_be_written_nothing_is_noted(store: TokenStore, record: Path) -> None:
    record.parent.parent.write_text("a file in the place of the folder")
    token = store.create("alice")[1]
    note_known([token], DATABASE)
    assert find_unknown([token], DATABASE) == [token]
    assert not can_remember(DATABASE)


def test_a_record_that_came_with_the_database_is_not_believed(
    store: TokenStore, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = store.create("backdoor")[1]
    note_known([token], home.parent / "theirs" / "cvserve.db")
    assert can_remember(DATABASE)
    assert find_unknown([token], DATABASE) == []
    (home.parent / "state").rename(home / "state")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    assert find_unknown([token], DATABASE) == [token]
    assert not can_remember(DATABASE)


def test_a_database_from_before_there_was_a_record_is_the_users_own(store: TokenStore) -> None:
    token = store.create("alice")[1]
    # No archive brings along when the kernel made a file, whatever its other times are.
    os.utime(DATABASE, (1_700_000_000, 1_700_000_000))
    assert find_unknown([token], DATABASE) == [token]
    if find_birth_s(DATABASE) is None:
        pytest.skip("this file system does not tell when a file was made")
    assert find_unknown([token], DATABASE, remembers_from_s=time.time()) == []
    in_future = time.time() + 86_400  # so that the clock is wrong, and was perhaps when the file was made
    assert find_unknown([token], DATABASE, remembers_from_s=in_future) == [token]
