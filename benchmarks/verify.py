"""Whether every server does the work before it is measured: `python benchmarks/verify.py [KEY …]`.

Right class for each picture, an id for each answer, a row and a log line for each, a refusal without a token.
"""

import json
import sys

import cases
import environments
import servers
import work


def check(server: servers.Server) -> list[str]:
    """What is wrong with a server."""
    wrong = []
    ids = set()
    pictures = [path.read_bytes() for path in sorted(work.pictures(work.SMALL).glob("*.jpg"))]
    with servers.running(server, pinned=False) as running:
        for number, picture in enumerate(pictures):
            status, body = running.ask(picture)
            said = json.loads(body)
            ids.add(said.get("id"))
            if status != 200:
                wrong.append(f"picture {number}: {status}")
            elif server.stores and server.model != "builtin" and said["result"] != work.expected(server.model, picture):
                wrong.append(f"picture {number}: class {said['result']}")
        if server.stores and len(ids) != len(pictures):
            wrong.append("ids are not its own")
        status, _ = running.ask(pictures[0], token="")
        if server.stores and status not in {401, 403, 422}:
            wrong.append(f"without a token: {status}")
    if running.problem:
        wrong.append(running.problem)
    return wrong


def main(keys: list[str]) -> int:
    """Check them one after another."""
    work.make()
    failed = 0
    for key, server in cases.every_server().items():
        if keys and key not in keys:
            continue
        if server.script is not None:
            environments.make(server.environment)
        try:
            wrong = check(server)
        except RuntimeError as error:
            wrong = [str(error)]
        failed += bool(wrong)
        print(f"{key}: {'; '.join(wrong) or 'ok'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
