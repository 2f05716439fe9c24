"""The changelog says each thing once, where a reader looks for it."""

import itertools
import re

import pytest

from support.pages import ROOT

# Of https://keepachangelog.com/en/1.1.0/, in the order in which it lists them.
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
VERSIONS = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: str(version).partition("\n")[0])
def test_a_version_has_each_kind_of_change_once_and_in_order(version: str) -> None:
    kinds = re.findall(r"^### (.+)$", version, re.MULTILINE)
    assert kinds == [kind for kind in KINDS if kind in kinds]


def test_nothing_is_said_twice() -> None:
    entries = [" ".join(entry.split()) for version in VERSIONS for entry in re.split(r"^[-#]+ ", version, flags=re.M)]
    # Sorted, an entry stands before those that begin with it.
    for entry, following in itertools.pairwise(sorted(filter(None, entries))):
        assert not following.startswith(entry), entry
