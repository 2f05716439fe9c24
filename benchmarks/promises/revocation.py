"""Promise 9: a token that was revoked is refused within a second, also on connections that are open."""

import statistics
import threading
import time

from promises.harness import Client, Outcome, Promise, Target, main, served

PROMISE = Promise(
    9,
    "A revoked token is refused within a second, on open connections too.",
    "cvserve token revoke while 8 connections poll; last success after the end of the command",
)


def measure(target: Target) -> Outcome:
    """Make and revoke one token after the other."""
    lags: list[float] = []
    with served(target, "--workers", "1") as server:
        for number in range(target.count(12)):
            secret = target.make_token(server.home, f"t{number}")
            last: list[float] = []
            clients = [threading.Thread(target=poll, args=(server.url, secret, last)) for _ in range(8)]
            for client in clients:
                client.start()
            target.run(server.home, "token", "revoke", f"t{number}")
            ended = time.monotonic()
            for client in clients:
                client.join(10)
            lags.append(max(0.0, max(last, default=0.0) - ended))
    figures = {
        "revocations": len(lags),
        "worst, s": round(max(lags), 3),
        "median, s": round(statistics.median(lags), 3),
    }
    return Outcome(figures, max(lags) <= 1)


def poll(url: str, secret: str, last: list[float]) -> None:
    """Ask until it is refused, at most for some seconds; note the time of the last success."""
    client, success, end = Client(url, secret), 0.0, time.monotonic() + 30
    while time.monotonic() < end and client.ask("GET", "/livez")[0] == 200:
        success = time.monotonic()
    last.append(success)
    client.close()


if __name__ == "__main__":
    main(PROMISE, measure)
