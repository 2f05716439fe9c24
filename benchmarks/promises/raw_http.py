"""Promise 7: bytes that are no proper request get the answer that the table says, and end nothing else."""

from promises.harness import TOKEN, Client, Outcome, Promise, Target, main, served
from support.pictures import grey
from support.raw import RawConnection

PROMISE = Promise(
    7,
    "Bytes that are no proper HTTP request are answered as the table of codes says, or the connection ends; no 5xx.",
    "raw requests over a socket, each on a connection of its own, against the statuses that it may get",
)
_AUTH = f"Authorization: Bearer {TOKEN}\r\n"
_PICTURE = grey(0)
_POST = f"POST /predict HTTP/1.1\r\nHost: x\r\n{_AUTH}"
_H2C = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
CASES: dict[str, tuple[bytes, set[int]]] = {
    name: (text.encode("latin-1"), allowed)
    for name, (text, allowed) in {
        "garbage": ("GARBAGE\r\n\r\n", {400}),
        "TLS hello": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {400}),
        "HTTP/2 preface": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
        "no host": (f"GET /livez HTTP/1.1\r\n{_AUTH}\r\n", {400}),
        "two hosts": (f"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n{_AUTH}\r\n", {400}),
        "a path as host": (f"GET /livez HTTP/1.1\r\nHost: evil/../\r\n{_AUTH}\r\n", {400}),
        "a user in the host": (f"GET /livez HTTP/1.1\r\nHost: a@google.com\r\n{_AUTH}\r\n", {400}),
        "long head": (f"GET /livez HTTP/1.1\r\nHost: x\r\n{_AUTH}X: {'x' * 20_000}\r\n\r\n", {431}),
        "many headers": ("GET /livez HTTP/1.1\r\nHost: x\r\n" + "X: y\r\n" * 120 + "\r\n", {431}),
        "long target": (f"GET /{'x' * 9_000} HTTP/1.1\r\nHost: x\r\n{_AUTH}\r\n", {414}),
        "both lengths": (f"{_POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
        "two lengths": (f"{_POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", {400}),
        "signed length": (f"{_POST}Content-Length: +5\r\n\r\nhello", {400}),
        "hex length": (f"{_POST}Content-Length: 0x5\r\n\r\nhello", {400}),
        "huge length": (f"{_POST}Content-Length: 1{'0' * 30}\r\n\r\n", {400}),
        "no chunk": (f"{_POST}Transfer-Encoding: chunked\r\n\r\nXYZ\r\n", {400}),
        "chunk overflow": (f"{_POST}Transfer-Encoding: chunked\r\n\r\n{'f' * 17}\r\n", {400}),
        "space before the colon": (f"GET /livez HTTP/1.1\r\nHost : x\r\n{_AUTH}\r\n", {400}),
        "NUL in a value": (f"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n{_AUTH}\r\n", {400}),
        "folded header": (f"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n{_AUTH}\r\n", {400, 200}),
        "gzip body": (f"{_POST}Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", {415}),
        "too large": (f"{_POST}Content-Length: 99999999\r\n\r\n", {413}),
        "token in a trailer": (
            "POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: image/png\r\n\r\n"
            f"3\r\nabc\r\n0\r\n{_AUTH}\r\n", {401}),
        "newline in the path": (f"GET /livez%0a HTTP/1.1\r\nHost: x\r\n{_AUTH}\r\n", {404}),
        "coded slash": (f"POST /predict%2Fbatch HTTP/1.1\r\nHost: x\r\n{_AUTH}Content-Length: 0\r\n\r\n", {404}),
        "blank behind the token": (f"GET /livez HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN} \r\n\r\n", {200}),
        "TRACE": (f"TRACE /livez HTTP/1.1\r\nHost: x\r\n{_AUTH}\r\n", {405}),
        "CONNECT": (f"CONNECT evil:443 HTTP/1.1\r\nHost: x\r\n{_AUTH}\r\n", {400, 405}),
        "unknown method": (f"FOO /livez HTTP/1.1\r\nHost: x\r\n{_AUTH}\r\n", {400, 405}),
        "websocket": (
            f"GET /livez HTTP/1.1\r\nHost: x\r\n{_AUTH}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", {200, 426}),
    }.items()
}  # fmt: skip
CASES["h2c with a body"] = (f"{_POST}{_H2C}Content-Length: {len(_PICTURE)}\r\n\r\n".encode() + _PICTURE, {200})


def measure(target: Target) -> Outcome:
    """All cases, then a proper request."""
    wrong: dict[str, int] = {}
    with served(target, "--workers", "1") as server:
        for name, (data, allowed) in CASES.items():
            with RawConnection(server.url) as raw:
                raw.send(data)
                try:
                    status = raw.answer().status
                except (AssertionError, OSError):
                    status = 0
            if status not in allowed:
                wrong[name] = status
        alive = Client(server.url).predict(_PICTURE)[0] == 200
    figures = {"cases": len(CASES), "other answers": wrong or 0, "alive after": alive}
    return Outcome(figures, alive and not wrong)


if __name__ == "__main__":
    main(PROMISE, measure)
