"""The page of metrics as Prometheus reads it. Loaded at the first scrape, as prometheus_client takes time to import."""

import platform
from collections.abc import Callable, Iterator
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString

from cvserve import __version__
from cvserve.engine.engine import Engine
from cvserve.logs.access import AccessLog
from cvserve.server.counters import Counter, Histogram, Key
from cvserve.server.metrics import Metrics


class Sources(NamedTuple):
    """The objects whose numbers are on the page."""

    metrics: Metrics
    engine: Engine
    access_log: AccessLog


class Reading(NamedTuple):
    """A metric that is read from its source at each scrape, not counted by `Metrics`.

    Attributes:
        name, labels, meaning: as for `Counter`.
        read: returns label values with their numbers.
        kind: `gauge` or `counter`.
    """

    name: str
    labels: tuple[str, ...]
    meaning: str
    read: Callable[[Sources], list[tuple[Key, float]]]
    kind: str = "gauge"


def _build(sources: Sources) -> list[tuple[Key, float]]:
    return [((__version__, platform.python_version(), sources.engine.info.format), 1)]


def _model(sources: Sources) -> list[tuple[Key, float]]:
    info = sources.engine.info
    return [((info.name, info.version, info.sha256, info.format, info.device), 1)]


def _workers(sources: Sources) -> list[tuple[Key, float]]:
    return [(("live",), sources.engine.live_workers), (("wanted",), sources.engine.wanted_workers)]


READINGS = (
    Reading("cvserve_build_info", ("version", "python", "backend"), "Always 1; the labels tell.", _build),
    Reading(
        "cvserve_model_info", ("model", "version", "sha256", "backend", "device"), "Always 1; the labels tell.", _model
    ),
    Reading(
        "cvserve_model_loaded_timestamp_seconds",
        (),
        "When the server had loaded its model, in seconds since 1970.",
        lambda sources: [((), sources.metrics.loaded_at)],
    ),
    Reading(
        "cvserve_http_requests_in_progress",
        (),
        "Requests whose answer is not complete, the one that asks included.",
        lambda sources: [((), sources.metrics.in_progress)],
    ),
    Reading(
        "cvserve_queue_depth",
        ("model",),
        "Pictures that wait for a worker.",
        lambda sources: [((sources.engine.info.name,), sources.engine.waiting)],
    ),
    Reading(
        "cvserve_queue_limit",
        (),
        "Pictures that may wait. One more is a 503, or one of a token that has more than its share gives way to it.",
        lambda sources: [((), sources.engine.max_queue)],
    ),
    Reading("cvserve_workers", ("state",), "`live`: warm and at work; `wanted`: as many as there should be.", _workers),
    Reading(
        "cvserve_log_lines_lost_total",
        (),
        "Lines of the access log that were given up since the disk took none for too long.",
        lambda sources: [((), sources.access_log.lines_lost)],
        "counter",
    ),
)


class Exposition(Collector):
    """Renders all metrics of one app. It has a registry of its own, as two apps in one process must not mix theirs.

    Args:
        sources: the objects whose numbers are on the page.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the page and its media type: OpenMetrics if `accept` asks for it, else the older text format."""
        try:
            encode, media_type = choose_encoder(accept if accept.isascii() else "")
        except (TypeError, ValueError):  # a version that is no version
            encode, media_type = choose_encoder("")
        return encode(self._registry), media_type

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with its values; the registry calls this at each scrape."""
        for reading in READINGS:
            kind = CounterMetricFamily if reading.kind == "counter" else GaugeMetricFamily
            yield _add_values(kind(reading.name, reading.meaning, labels=reading.labels), reading.read(self._sources))
        for counter in self._sources.metrics.counters:
            yield _add_values(CounterMetricFamily(counter.name, counter.meaning, labels=counter.labels), counter.read())
        for histogram in self._sources.metrics.histograms:
            yield _make_histogram(histogram)

    def describe(self) -> list[Metric]:
        """Return no metrics when the registry asks for them at registration: there is nothing to read yet."""
        return []


def list_metrics(metrics: Metrics) -> list[Reading | Counter | Histogram]:
    """List every metric of ours; each has a name, a kind, labels and a meaning."""
    return [*READINGS, *metrics.counters, *metrics.histograms]


def _add_values(
    family: CounterMetricFamily | GaugeMetricFamily, values: list[tuple[Key, float]]
) -> CounterMetricFamily | GaugeMetricFamily:
    for key, value in values:
        family.add_metric(_clean_labels(key), value)
    return family


def _clean_labels(key: Key) -> list[str]:
    """Replace what UTF-8 cannot encode: a model's name may come from a file's, which is any bytes."""
    return [text.encode("utf-8", "replace").decode("utf-8") for text in key]


def _make_histogram(histogram: Histogram) -> HistogramMetricFamily:
    family = HistogramMetricFamily(histogram.name, histogram.meaning, labels=histogram.labels)
    ends = [*map(floatToGoString, histogram.bounds), "+Inf"]
    for key, numbers, total in histogram.read():
        below: float = 0
        buckets = []
        for end, number in zip(ends, numbers, strict=True):
            below += number
            buckets.append((end, below))
        family.add_metric(_clean_labels(key), buckets, total)
    return family
