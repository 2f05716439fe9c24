"""Who asks, and what they may do."""

from dataclasses import dataclass

from cvserve.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Actor:
    """The holder of a token.

    Attributes:
        name: of the token; what the access log calls "who".
        token_id: the row that the history points at.
        scopes: what it opens.
    """

    name: str
    token_id: int
    scopes: frozenset[str]

    @property
    def sees_all(self) -> bool:
        """Whether everybody's rows may be read, and not only one's own."""
        return "history" in self.scopes

    def require(self, scope: str) -> None:
        """Raise unless the scope is there.

        Raises:
            Forbidden: it is not.
        """
        if scope not in self.scopes:
            raise Forbidden(f"This token has no scope '{scope}'; ask for one that has.", scope)
