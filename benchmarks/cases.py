"""The cases: which servers, with how many connections, on which pictures."""

from dataclasses import dataclass, replace
from typing import Any

import work
from servers import Server

OUR_DECODER = {"DECODER": "simplejpeg"}
BATCHING = {"BATCH": "64"}

# Beside peers that run the estimator, so does cvserve, also where the extra `onnx` is installed; rows of their own show
# what compiling adds.
OURS = Server("cvserve", "cvserve", options=("--durability", "normal", "--compile", "never"))
COMPILED = replace(
    OURS,
    key="cvserve-compiled",
    title="cvserve, compiled",
    options=("--durability", "normal", "--compile", "require"),
)
COMPILED_THREADS = replace(COMPILED, key="cvserve-compiled-threads", title="cvserve, compiled, on threads", workers=0)
SQLMODEL = Server("fastapi", "FastAPI + SQLModel", "fastapi_sqlmodel.py", "fastapi_sqlmodel")
LITSERVE = Server("litserve", "LitServe", "litserve_server.py", "litserve")
LITSERVE_BATCHING = replace(LITSERVE, key="litserve-batching", title="LitServe, batching", variables=BATCHING)
MOSEC = Server("mosec", "Mosec", "mosec_server.py", "mosec", token_field=True)
MOSEC_BATCHING = replace(MOSEC, key="mosec-batching", title="Mosec, batching", variables=BATCHING)
BENTOML = Server("bentoml", "BentoML", "bentoml_server.py", "bentoml")
FLOOR = Server("floor", "floor: HTTP and multipart only", "floor.py", "floor", stores=False)
PEERS = (MOSEC_BATCHING, MOSEC, LITSERVE_BATCHING, LITSERVE, BENTOML, SQLMODEL)


def _ours(key: str, title: str, **changes: Any) -> Server:
    return replace(OURS, key=key, title=title, **changes)


def _given_our_decoder(peer: Server) -> Server:
    variables = {**peer.variables, **OUR_DECODER}
    return replace(peer, key=f"{peer.key}+decoder", title=f"{peer.title}, our decoder", variables=variables)


@dataclass(frozen=True)
class Case:
    """Servers that are measured in turn, on the same work.

    Attributes:
        name: for `--only`.
        title: of its table.
        connections: of wrk; one run for each.
        pictures: `small` or `large`.
        pinned: server on one core and load on the other; otherwise both on the whole machine.
        rows: what its history holds before, in the case `growth`: one entry a server.
    """

    name: str
    title: str
    servers: tuple[Server, ...]
    connections: tuple[int, ...] = (1, 16, 64)
    pictures: str = work.SMALL
    pinned: bool = True
    rows: tuple[int, ...] = ()


ONE_AND_TWO = (_ours("cvserve-1", "cvserve, 1 worker"), _ours("cvserve-2", "cvserve, 2 workers", workers=2))
GROWTH = (0, 10**4, 10**6, 10**7)
CASES = (
    Case("throughput", "The same work, a server on one core", (OURS, COMPILED, COMPILED_THREADS, *PEERS, FLOOR)),
    Case("decoder", "Peers given our decoder", (OURS, COMPILED, *map(_given_our_decoder, PEERS))),
    Case("exact", "Full decode", (_ours("cvserve-exact", "cvserve, exact", model=work.EXACT), *PEERS), (1, 64)),
    Case(
        "forest",
        "A forest of 100 trees",
        tuple(
            replace(server, model="forest") for server in (OURS, COMPILED, MOSEC_BATCHING, LITSERVE_BATCHING, SQLMODEL)
        ),
    ),
    Case("large", "Pictures of 2 megapixels", (OURS, *PEERS), (16,), work.LARGE),
    Case(
        "builtin",
        "The built-in model",
        (OURS, _ours("cvserve-builtin", "cvserve, built-in model", model="builtin")),
        (1, 64),
    ),
    Case(
        "machine",
        "The same work, whole machine, two workers",
        tuple(replace(server, workers=2) for server in (OURS, COMPILED, *PEERS)),
        (64,),
        pinned=False,
    ),
    Case(
        "workers",
        "Worker processes, whole machine",
        ONE_AND_TWO,
        (64,),
        pinned=False,
    ),
    Case(
        "workers-large",
        "Worker processes, whole machine, pictures of 2 megapixels",
        ONE_AND_TWO,
        (16,),
        work.LARGE,
        pinned=False,
    ),
    Case(
        "engine",
        "A worker process and threads",
        (_ours("cvserve-1", "cvserve, 1 worker"), _ours("cvserve-0", "cvserve, threads", workers=0)),
        (1, 64),
    ),
    Case(
        "durability",
        "Full and normal durability",
        (OURS, _ours("cvserve-full", "cvserve, full", options=("--durability", "full", "--compile", "never"))),
        (1, 64),
    ),
    Case("memory", "Memory and cold start", (OURS, COMPILED, *PEERS), (64,)),
    Case(
        "growth",
        "A history that has grown",
        tuple(_ours(f"cvserve-{rows}", f"{rows:,} rows") for rows in GROWTH),
        (1, 64),
        rows=GROWTH,
    ),
)


def every_server() -> dict[str, Server]:
    """All of them, by key; the same key with another model gets the model's name."""
    found: dict[str, Server] = {}
    for case in CASES:
        for server in case.servers:
            key = server.key if server.model in {"linear", "exact", "builtin"} else f"{server.key}/{server.model}"
            found.setdefault(key, server)
    return {key: server for key, server in found.items() if case_free(key)}


def case_free(key: str) -> bool:
    """Whether a server is of interest by itself, not for what its history holds."""
    return not key.removeprefix("cvserve-").isdigit() or key in {"cvserve-0", "cvserve-1", "cvserve-2"}
