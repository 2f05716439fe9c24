"""The goals, each a ratio of two figures of the same case of the same run, and what came of them."""

from collections.abc import Callable
from dataclasses import dataclass

from figures import Figures, Untrusted

PEERS = ("mosec-batching", "mosec", "litserve-batching", "litserve", "bentoml", "fastapi")
BATCHING_PEERS = ("mosec-batching", "litserve-batching")
WITH_OUR_DECODER = tuple(f"{key}+decoder" for key in PEERS)
BIGGEST = 10**7
_COMPILED = "cvserve-compiled"


@dataclass(frozen=True)
class Goal:
    """What is wanted.

    Attributes:
        text: what is compared.
        bound: the ratio that is wanted.
        at_least: whether more is better.
        ratio: from the figures; raises KeyError when a case was not measured.
    """

    text: str
    bound: float
    at_least: bool
    ratio: Callable[[Figures], float]

    def row(self, figures: Figures) -> tuple[str, str, str, str]:
        """Text, bound, figure, and met, not met or not measured."""
        wanted = f"{'≥' if self.at_least else '≤'} {self.bound:g} ×"
        try:
            got = self.ratio(figures)
        except KeyError:
            return self.text, wanted, "–", "not measured"
        except Untrusted as wrong:
            return self.text, wanted, f"⚠ invalid: {wrong}", "**not met**"
        met = got >= self.bound if self.at_least else got <= self.bound
        return self.text, wanted, f"{got:.2f} ×", "met" if met else "**not met**"


def _fastest(case: str, connections: int, ours: str, peers: tuple[str, ...]) -> Callable[[Figures], float]:
    def ratio(figures: Figures) -> float:
        known = [figures.rate(case, key, connections) for key in peers if figures.has(case, key, connections)]
        if not known:
            raise KeyError(case)
        return figures.rate(case, ours, connections) / max(known)

    return ratio


def _rates(case: str, connections: int, over: str, under: str) -> Callable[[Figures], float]:
    return lambda f: f.rate(case, over, connections) / f.rate(case, under, connections)


def _possible(ours: str) -> Callable[[Figures], float]:
    """Of what decode, model and HTTP alone would allow on one core."""

    def ratio(figures: Figures) -> float:
        floor_us = 1e6 / figures.rate("throughput", "floor", 64)
        return figures.rate("throughput", ours, 64) / (1e6 / (figures.bare_us() + floor_us))

    return ratio


def _waiting(ours: str) -> Callable[[Figures], float]:
    def ratio(figures: Figures) -> float:
        known = [figures.p50("throughput", key, 1) for key in PEERS if figures.has("throughput", key, 1)]
        if not known:
            raise KeyError("throughput")
        return figures.p50("throughput", ours, 1) / min(known)

    return ratio


def _tail(figures: Figures) -> float:
    return figures.p99("throughput", "cvserve", 64) / figures.p50("throughput", "cvserve", 64)


def _grown_post(connections: int) -> Callable[[Figures], float]:
    return lambda f: f.p50("growth", f"cvserve-{BIGGEST}", connections) / f.p50("growth", "cvserve-0", connections)


def _grown_get(place: str) -> Callable[[Figures], float]:
    return lambda f: f.p50("growth", f"cvserve-{BIGGEST}", 1, place) / f.p50("growth", "cvserve-0", 1, place)


def _smallest(
    value: Callable[[Figures, str], float], peers: tuple[str, ...], ours: str = "cvserve"
) -> Callable[[Figures], float]:
    def ratio(figures: Figures) -> float:
        known = [value(figures, key) for key in peers if figures.has("memory", key, 64)]
        if not known:
            raise KeyError("memory")
        return value(figures, ours) / min(known)

    return ratio


GOALS = (
    Goal("throughput, c=64: fastest peer as its users write it", 3, True, _fastest("throughput", 64, "cvserve", PEERS)),
    Goal(
        "throughput, c=64: fastest peer given our decoder",
        1.1,
        True,
        _fastest("decoder", 64, "cvserve", WITH_OUR_DECODER),
    ),
    Goal("throughput, c=64: FastAPI + SQLModel", 10, True, _rates("throughput", 64, "cvserve", "fastapi")),
    Goal("throughput, c=64: what decode, model and HTTP alone allow", 0.85, True, _possible("cvserve")),
    Goal("full decode, c=64: fastest peer", 1.5, True, _fastest("exact", 64, "cvserve-exact", PEERS)),
    Goal("median wait, c=1: fastest peer", 0.65, False, _waiting("cvserve")),
    Goal("built-in model, c=64: our linear model", 0.6, True, _rates("builtin", 64, "cvserve-builtin", "cvserve")),
    Goal("p99, c=64: our own median", 2, False, _tail),
    Goal("forest, c=16: fastest peer", 3, True, _fastest("forest", 16, "cvserve", PEERS)),
    Goal("forest, c=64: fastest peer", 3, True, _fastest("forest", 64, "cvserve", PEERS)),
    Goal("two workers, c=64: one", 1.7, True, _rates("workers", 64, "cvserve-2", "cvserve-1")),
    Goal(
        "two workers, 2-megapixel pictures, c=16: one", 1.7, True, _rates("workers-large", 16, "cvserve-2", "cvserve-1")
    ),
    Goal("full durability, c=64: normal", 0.9, True, _rates("durability", 64, "cvserve-full", "cvserve")),
    Goal("one worker process, c=64: threads", 0.95, True, _rates("engine", 64, "cvserve-1", "cvserve-0")),
    Goal("POST median after 10⁷ rows, c=1: empty history", 1.05, False, _grown_post(1)),
    Goal("POST median after 10⁷ rows, c=64: empty history", 1.05, False, _grown_post(64)),
    Goal("GET of 100 rows at the start of 10⁷: short history", 1.5, False, _grown_get("start")),
    Goal("GET of 100 rows in the middle of 10⁷: short history", 1.5, False, _grown_get("middle")),
    Goal("GET of 100 rows at the end of 10⁷: short history", 1.5, False, _grown_get("end")),
    Goal(
        "memory, idle: smallest peer with batching", 1, False, _smallest(lambda f, key: f.idle_mb(key), BATCHING_PEERS)
    ),
    Goal("cold start: fastest peer", 1, False, _smallest(lambda f, key: f.cold_start_s(key), PEERS)),
    # With the extra `onnx`, which compiles the estimator: what the same goals look like, and two of its own.
    Goal("compiled: throughput, c=64: fastest peer", 3, True, _fastest("throughput", 64, _COMPILED, PEERS)),
    Goal(
        "compiled: throughput, c=64: fastest peer given our decoder",
        1.1,
        True,
        _fastest("decoder", 64, _COMPILED, WITH_OUR_DECODER),
    ),
    Goal("compiled: throughput, c=64: FastAPI + SQLModel", 10, True, _rates("throughput", 64, _COMPILED, "fastapi")),
    Goal("compiled: throughput, c=64: what decode, model and HTTP alone allow", 0.85, True, _possible(_COMPILED)),
    Goal("compiled: median wait, c=1: fastest peer", 0.45, False, _waiting(_COMPILED)),
    Goal("compiled, on threads: median wait, c=1: fastest peer", 0.45, False, _waiting(f"{_COMPILED}-threads")),
    Goal("compiled: forest, c=16: fastest peer", 3, True, _fastest("forest", 16, _COMPILED, PEERS)),
    Goal("compiled: forest, c=64: fastest peer", 3, True, _fastest("forest", 64, _COMPILED, PEERS)),
    Goal(
        "compiled: memory, idle: smallest peer with batching",
        1,
        False,
        _smallest(lambda f, key: f.idle_mb(key), BATCHING_PEERS, _COMPILED),
    ),
    Goal(
        "compiled: cold start: fastest peer", 1, False, _smallest(lambda f, key: f.cold_start_s(key), PEERS, _COMPILED)
    ),
)
