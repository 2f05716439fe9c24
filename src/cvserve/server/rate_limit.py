"""How many requests a token may send: a bucket for each token, filled steadily, from which each request takes one.

A bucket is kept as one number, the time at which it would be full again (the generic cell rate algorithm, ITU-T I.371).
"""

import math
import time
from collections.abc import Callable, Hashable

from cvserve.errors import RateLimited
from cvserve.values import Rate


class RateLimiter:
    """Refuses what a token sends too fast. For one thread, the event loop's.

    A bucket holds as many requests as the rate names: of 100 a minute, 100 may come at once, and then one
    every 0.6 s. So in no minute there are more than twice as many. A batch is one request when it comes; its other
    pictures are taken afterwards, when they are known, and the next request waits until that is made good.

    Args:
        rate: as many requests, in such a time.
        clock: gives seconds that never go back.
    """

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._interval_s = rate.seconds / rate.count
        self._burst_s = rate.seconds
        self._full_at: dict[Hashable, float] = {}

    def take(self, owner: Hashable) -> None:
        """Take one request out of an owner's bucket.

        Raises:
            RateLimited: it is empty; the error says in how many seconds it will not be.
        """
        self._full_at[owner] = self.check(owner)

    def check(self, owner: Hashable) -> float:
        """Find out whether an owner's bucket is empty, without taking anything.

        Returns:
            When the bucket would be full again if one request were taken.

        Raises:
            RateLimited: it is empty.
        """
        now = self._clock()
        full_at = max(self._full_at.get(owner, now), now) + self._interval_s
        if (wait_s := full_at - now - self._burst_s) > 1e-9:  # sums of floats
            retry_after_s = max(1, math.ceil(wait_s))
            raise RateLimited(
                f"This token may send {self._rate.describe()}; send the request again in {retry_after_s} s.",
                retry_after_s,
            )
        return full_at

    def charge(self, owner: Hashable, requests: int) -> None:
        """Take so many more, whether they are there or not: who owes waits until the bucket is filled again."""
        if requests > 0:
            now = self._clock()
            self._full_at[owner] = max(self._full_at.get(owner, now), now) + requests * self._interval_s
