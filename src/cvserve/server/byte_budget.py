"""One budget for the bytes of all requests that are in flight, so that no crowd of uploads fills the memory.

A byte counts from its arrival until its request is answered. What is only announced does not count: somebody who
announces much and sends nothing locks nobody out.

The share of one caller follows the dynamic threshold of shared switch buffers (Choudhury and Hahne, 1998): nobody may
hold more than `_SHARE` times what is free. One caller alone gets three quarters of the budget, two get three sevenths
each, and there is always room for somebody who comes anew.
"""

from collections.abc import Hashable

from cvserve.errors import CvserveError, Overloaded, PayloadTooLarge

_SHARE = 3
_MIB = 1024**2


class ByteBudget:
    """Counts bytes in memory, in all and by caller; for one thread, the event loop's.

    Args:
        limit_bytes: as many may be in flight.

    Attributes:
        used_bytes: as many are.
        peak_bytes: most that were since somebody last set it back.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._of_owner: dict[Hashable, int] = {}
        self.used_bytes = 0
        self.peak_bytes = 0

    @property
    def is_exceeded(self) -> bool:
        """Whether more bytes are in flight than may be: answers are there before they can be refused."""
        return self.used_bytes > self._limit_bytes

    def take(self, size_bytes: int) -> bool:
        """Count bytes whose caller is not known yet; False, and nothing is counted, where they do not fit."""
        used_bytes = self.used_bytes + size_bytes
        if used_bytes > self._limit_bytes and self.used_bytes:
            return False
        self.used_bytes = used_bytes
        return True

    def give_back(self, size_bytes: int) -> None:
        """Count bytes no longer."""
        self.peak_bytes = max(self.peak_bytes, self.used_bytes)
        self.used_bytes -= size_bytes

    def count_change(self, change_bytes: int) -> None:
        """Count bytes that are there already, such as those of an answer; a negative number gives them back."""
        if change_bytes < 0:
            self.give_back(-change_bytes)
        else:
            self.used_bytes += change_bytes

    def open_hold(self, owner: Hashable) -> "Hold":
        """Begin to count what one request of a caller holds; a context that gives all of it back at its end."""
        return Hold(self, owner)

    def count_for(self, owner: Hashable, size_bytes: int) -> None:
        """Count bytes of a caller."""
        self.used_bytes += size_bytes
        self._of_owner[owner] = self._of_owner.get(owner, 0) + size_bytes

    def check_announced(self, owner: Hashable, size_bytes: int) -> None:
        """See whether a body that is announced would fit; raises as `check` does.

        What has come of it is counted already. So where no other request holds anything, only its size decides: else
        one that comes in one piece would have to find room twice, and one of more than half would be refused for good.
        """
        if self._of_owner or size_bytes > self._limit_bytes:
            self.check(owner, size_bytes, 0)

    def check(self, owner: Hashable, size_bytes: int, of_request_bytes: int) -> None:
        """See whether bytes of a caller would fit, without counting them.

        Args:
            owner: whose bytes they are.
            size_bytes: as many more.
            of_request_bytes: what the same request holds already.

        Raises:
            PayloadTooLarge: they never would: the request alone has more than all of the budget.
            Overloaded: they would not now.
        """
        held_bytes = self._of_owner.get(owner, 0)
        free_bytes = self._limit_bytes - self.used_bytes - size_bytes
        if free_bytes < 0:
            raise self.make_error(of_request_bytes + size_bytes)
        if of_request_bytes == self.used_bytes:
            return  # no other request is there: one that is larger than a share must not be refused for good
        if held_bytes + size_bytes > _SHARE * free_bytes:
            raise Overloaded(
                f"This token's requests hold {_format_mib(held_bytes)} already, and more would leave too little for "
                "others; send the request again in a moment.",
                "bytes",
            )

    def make_error(self, of_request_bytes: int) -> CvserveError:
        """The answer to bytes that do not fit.

        Args:
            of_request_bytes: what the same request would hold with them. More than all of the budget will not fit
                later either, so its sender must not be told to come again.
        """
        if of_request_bytes > self._limit_bytes:
            return PayloadTooLarge(
                f"The body is larger than the {self._limit_bytes:,} bytes that this server holds of all requests; "
                "send a smaller one."
            )
        return Overloaded(
            f"The server holds as many bytes of requests as it may ({_format_mib(self._limit_bytes)}); "
            "send the request again in a moment.",
            "bytes",
        )

    def give_back_for(self, owner: Hashable, size_bytes: int) -> None:
        """Count bytes of a caller no longer."""
        self.give_back(size_bytes)
        left_bytes = self._of_owner.get(owner, 0) - size_bytes
        if left_bytes > 0:
            self._of_owner[owner] = left_bytes
        else:
            self._of_owner.pop(owner, None)


class Hold:
    """What one request holds of a budget. A context: at its end everything is given back.

    Args:
        budget: where the bytes are counted.
        owner: whose bytes they are, such as the id of a token.
    """

    __slots__ = ("_budget", "_owner", "_size_bytes")

    def __init__(self, budget: ByteBudget, owner: Hashable) -> None:
        self._budget = budget
        self._owner = owner
        self._size_bytes = 0

    def check(self, announced_bytes: int) -> None:
        """Refuse, before it is read, a body that would not fit now.

        Raises:
            PayloadTooLarge: it never would.
            Overloaded: it would not now.
        """
        self._budget.check_announced(self._owner, announced_bytes)

    def grow(self, size_bytes: int) -> None:
        """Count bytes that have arrived.

        Raises:
            PayloadTooLarge, Overloaded: they do not fit; what was counted before stays counted until the end of the
                context.
        """
        self._budget.check(self._owner, size_bytes, self._size_bytes)
        self._budget.count_for(self._owner, size_bytes)
        self._size_bytes += size_bytes

    def __enter__(self) -> "Hold":
        return self

    def __exit__(self, *_: object) -> None:
        if self._size_bytes:
            self._budget.give_back_for(self._owner, self._size_bytes)
            self._size_bytes = 0


def _format_mib(size_bytes: int) -> str:
    return f"{round(size_bytes / _MIB, 1):g} MiB"
