"""Who sent a request, and what they may do."""

from dataclasses import dataclass

from cvserve.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Actor:
    """The holder of a token, as far as the server knows one.

    Attributes:
        name: name of the token; the access log shows it.
        token_id: id of the token's row; rows of the history point at it.
        scopes: what the token permits, such as `predict`.
    """

    name: str
    token_id: int
    scopes: frozenset[str]

    @property
    def sees_all(self) -> bool:
        """Whether everybody's rows may be read, and not only one's own."""
        return "history" in self.scopes

    def require(self, scope: str) -> None:
        """Check that the token has a scope.

        Raises:
            Forbidden: it has not.
        """
        if scope not in self.scopes:
            raise Forbidden(f"This token has no scope '{scope}'; ask for one that has.", scope)
