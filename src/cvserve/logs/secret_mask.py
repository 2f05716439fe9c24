"""Tokens that a client has put where none belongs: they never get into a log or the history."""

import re

# What `store/tokens.py` makes, also cut short; with "_", so that of two in a row the second one is found too.
_TOKEN = re.compile(r"cvs_[0-9A-Za-z_]{8,}")


class SecretMask:
    """Finds tokens in the texts that a client sends: path, user agent, request id, name of a file.

    Every token that opens anything is found: those of the table by their form, the fixed one by itself.

    Args:
        fixed: tokens of another form.
    """

    def __init__(self, fixed: tuple[str, ...] = ()) -> None:
        self._fixed = fixed

    def finds_secret(self, text: str) -> bool:
        """Whether a text contains a token."""
        # Asked of every request, and nearly always without a token: so a plain search comes first.
        if "cvs_" in text and _TOKEN.search(text):
            return True
        return bool(self._fixed) and any(secret in text for secret in self._fixed)

    def mask(self, text: str) -> str:
        """Return the text with stars in the place of each token."""
        if not self.finds_secret(text):
            return text
        text = _TOKEN.sub("cvs_***", text)
        for secret in self._fixed:
            text = text.replace(secret, "***")
        return text
