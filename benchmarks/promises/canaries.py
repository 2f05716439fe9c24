"""Promise 11: no secret gets into a log, the history, an answer, or what other users see of a process."""

from promises.harness import TOKEN, Client, Outcome, Promise, Target, main, served
from support.pictures import grey
from support.process import fork_servers_of, proc, workers_of

PROMISE = Promise(
    11,
    "Tokens get into no log, no database, no answer, no command line and no environment of a child process.",
    "a token put into path, query, user agent, request id, X-Forwarded-For, file name and Referer of requests",
)

NAMES = ("User-Agent", "X-Request-ID", "X-Forwarded-For", "Referer", "Cookie", "Origin", "X-Cvserve-Source")


def measure(target: Target) -> Outcome:
    """Put tokens everywhere, then look everywhere."""
    home = target.home()
    secret = target.make_token(home, "canary", "predict")
    found: list[str] = []
    with served(target, "--workers", "1", "--log-format", "json") as server:
        for token in (secret, TOKEN):
            client = Client(server.url, token)
            for name in NAMES:
                for method, path, body in (("GET", "/livez", None), ("POST", "/predict", grey(0))):
                    _, said, sent = client.ask(method, path, body, {name: token})
                    note(found, f"answer to {method} with {name}", said.decode() + str(sent), token)
            for path in (f"/{token}", f"/predict/{token}", f"/livez?x={token}", f"/predict?label={token}"):
                client.ask("GET", path)
            for file_name in (f"{token}.png", f"a {token}{token}"):
                head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{file_name}"\r\n\r\n'
                body = head.encode() + grey(0) + b"\r\n--b--\r\n"
                client.ask("POST", "/predict", body, {"Content-Type": "multipart/form-data; boundary=b"})
        metrics = Client(server.url).ask("GET", "/metrics")[1].decode()
        front = server.process.pid
        children = [*fork_servers_of(front), *workers_of(front)]
        for token in (secret, TOKEN):
            note(found, "metrics", metrics, token)
            for pid in (front, *children):
                note(found, "a command line", proc(pid, "cmdline"), token)
            for pid in children:
                note(found, "a child's environment", proc(pid, "environ"), token)
    for token in (secret, TOKEN):
        note(found, "stderr", server.stderr, token)
        for file in home.iterdir():
            note(found, file.name, file.read_bytes().decode("latin-1"), token)
    return Outcome({"places": 9, "leaks": len(found)}, not found, ", ".join(dict.fromkeys(found)))


def note(found: list[str], place: str, text: str, token: str) -> None:
    """Remember a place that holds the secret."""
    if token in text or token.removeprefix("cvs_") in text:
        found.append(place)


if __name__ == "__main__":
    main(PROMISE, measure)
