"""SecretMask: tokens in any text are found, and nothing else is changed."""

import pytest

from cvserve.logs.secret_mask import SecretMask
from cvserve.store.tokens import make_secret

SECRET = make_secret()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (SECRET, "cvs_***"),
        (f"a {SECRET}.png", "a cvs_***.png"),
        (f"{SECRET}{SECRET}", "cvs_***"),
        (SECRET[:12], "cvs_***"),
        ("x the-fixed-one y the-fixed-one", "x *** y ***"),
        ("cvs_short", "cvs_short"),
        ("cvs", "cvs"),
        ("", ""),
        ("img.jpg", "img.jpg"),
    ],
    # A token is random: in the name of a test it would give each process of a run other names.
    ids=["token", "in-a-name", "twice", "begin", "fixed", "short", "prefix", "empty", "none"],
)
def test_tokens_become_stars(text: str, shown: str) -> None:
    mask = SecretMask(("the-fixed-one",))
    assert mask.mask(text) == shown
    assert mask.finds_secret(text) == (text != shown)
