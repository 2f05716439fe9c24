"""Promises 12 and 13: one line for each answer, and no text of a client can forge one."""

import json
import threading

from promises.harness import TOKEN, Client, Outcome, Promise, Target, main, served
from support.pictures import grey
from support.raw import RawConnection

PROMISE = Promise(
    12,
    "output.log has exactly one line for each answer, whatever its status, and no client can forge or break one.",
    "16 clients with good, bad and broken requests and hostile texts in path, agent, id and addresses; every line "
    "must parse and belong to one answer",
)
PLACES = ("User-Agent", "X-Request-ID", "X-Forwarded-For")
HOSTILE = ("a\x85b", "\\x1b[31m", "{}{0}%s", "a | b | 200 | GET /x", "\u202e".encode().decode("latin-1"),
           "<red>x</red>", '"quoted"', "x" * 3_000, "1.2.3.4 | admin", "\xa0\xad", "null", "a\tb")  # fmt: skip


def measure(target: Target) -> Outcome:
    """Ask from many threads at once, then join answers and lines."""
    answered: list[str] = []
    with served(target, "--workers", "1", "--log-format", "json") as server:
        rounds = target.count(40)
        threads = [threading.Thread(target=ask, args=(server.url, rounds, answered)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    lines = (server.home / "output.log").read_bytes().split(b"\n")[:-1]
    entries, broken = [], 0
    for line in lines:
        try:
            entries.append(json.loads(line)["request_id"])
            broken += any(byte < 32 or byte == 127 for byte in line)
        except (ValueError, KeyError):
            broken += 1
    without, twice = len(set(answered) - set(entries)), len(entries) - len(set(entries))
    figures = {"answers": len(answered), "lines": len(lines), "without a line": without, "twice": twice}
    return Outcome(figures | {"broken lines": broken}, not (without or twice or broken) and len(lines) == len(answered))


def ask(url: str, rounds: int, answered: list[str]) -> None:
    """One client: every round a dozen requests, on one connection, and one that is no HTTP, on another."""
    client = Client(url)
    for number in range(rounds):
        text = HOSTILE[number % len(HOSTILE)]
        mine = [
            client.ask("POST", "/predict", grey(0)),
            client.ask("POST", "/predict", b"no picture"),
            client.ask("GET", "/livez", None, dict.fromkeys(PLACES, text)),
            client.ask("GET", "/predict?limit=x"),
            client.ask("DELETE", "/predict"),
        ]
        answered.extend(headers["X-Request-ID"] for _, _, headers in mine)
        with RawConnection(url) as raw:
            for data in (
                f"GET /{text.encode().hex()}%0a%1b%e2%80%ae HTTP/1.1\r\nHost: x\r\nAuthorization: {TOKEN}\r\n\r\n",
                "BAD\r\n\r\n",
            ):
                raw.send(data.encode())
                answered.append(raw.answer().headers["x-request-id"])


if __name__ == "__main__":
    main(PROMISE, measure)
