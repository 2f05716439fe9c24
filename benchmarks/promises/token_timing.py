"""Promise 10: how long a refusal takes says nothing about how near a wrong token is to a right one."""

import random
import statistics
import time

from promises.harness import TOKEN, Client, Outcome, Promise, Target, main, served

PROMISE = Promise(
    10,
    "The time of a refusal does not tell a nearly right token from a random one.",
    "two kinds of wrong tokens in turn on one connection, Welch's t of their times (slowest 5 % left out); |t| < 4.5",
)


def measure(target: Target) -> Outcome:
    """In random order, so that a slow moment meets both."""
    random.seed(1)
    near, far = TOKEN[:-1] + "x", "z" * len(TOKEN)
    times: dict[str, list[float]] = {near: [], far: []}
    with served(target, "--workers", "1") as server:
        client = Client(server.url, None)
        for _ in range(target.count(3_000, 100)):
            for token in random.sample((near, far), 2):
                begin = time.perf_counter()
                client.ask("GET", "/livez", None, {"Authorization": f"Bearer {token}"})
                times[token].append((time.perf_counter() - begin) * 1e6)
    one, other = (sorted(values)[: int(0.95 * len(values))] for values in times.values())
    error = (statistics.variance(one) / len(one) + statistics.variance(other) / len(other)) ** 0.5
    t = (statistics.mean(one) - statistics.mean(other)) / error
    return Outcome({"samples each": len(times[near]), "Welch's t": round(t, 2)}, abs(t) < 4.5)


if __name__ == "__main__":
    main(PROMISE, measure)
