"""What a server counts while it works; `prometheus.py` turns the numbers into the page that Prometheus reads."""

import time
from time import perf_counter
from typing import get_args

from cvserve.engine.protocols import RESTART_REASONS, RestartReason
from cvserve.errors import CvserveError, Forbidden, Overloaded, OverloadReason, Unauthenticated
from cvserve.predictor.prediction import ModelInfo, Prediction
from cvserve.server.context import RequestContext
from cvserve.server.counters import OTHER, Counter, Histogram, LabelLimiter, Observe

MAX_TOKENS = 100
MAX_CLASSES = 100
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"))
# The code of an error -> why the request was turned away; `overloaded` has several reasons, which its errors tell.
REJECTIONS = {
    "rate_limited": "rate_limit",
    "payload_too_large": "too_large",
    "headers_too_large": "head_too_large",
    "uri_too_long": "head_too_large",
    "request_timeout": "slow_client",
    "not_ready": "draining",
    "predict_timeout": "timeout",
}
CLIENT_GONE = "client_gone"
REASONS = (*get_args(OverloadReason), *dict.fromkeys(REJECTIONS.values()), CLIENT_GONE)
AUTH_FAILURES = ("missing", "invalid", "scope")

# Those of OpenTelemetry's `http.server.request.duration`: dashboards of others fit.
_REQUEST_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_STAGE_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_BYTES = tuple(4**power for power in range(4, 14))  # 256 B to 64 MiB
_SCORES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
_NONE = ()
AnswerCell = tuple[list[float], Observe]


class Metrics:
    """All counters and histograms of one app; the engine reports batches and restarts to it as its observer.

    Args:
        model: the model that is served.

    Attributes:
        in_progress: requests whose answer is not complete.
        loaded_at: seconds since the epoch.
    """

    def __init__(self, model: ModelInfo) -> None:
        self.in_progress = 0
        self.loaded_at = time.time()
        self._model = (model.name,)
        self._model_version = (model.name, model.version)
        self._token_label = LabelLimiter(MAX_TOKENS)
        self._class_label = LabelLimiter(MAX_CLASSES)
        self._make_request_counters()
        self._make_prediction_counters()
        self._make_failure_counters()
        self._answer_cells: dict[tuple[str, str, int, str], AnswerCell] = {}
        self._prediction_cells: dict[tuple[str, str], list[float]] = {}

    def _make_request_counters(self) -> None:
        self._requests = Counter(
            "cvserve_http_requests_total",
            ("method", "route", "status", "token"),
            "Answers, one for each line of the access log. `route` is a template such as `/predict/{id}`, or"
            " `unmatched` for a path that does not exist and for what was refused before it was looked at (401)."
            f" `token` is a name, `-` for nobody, `other` after the first {MAX_TOKENS} names.",
        )
        self._durations = Histogram(
            "cvserve_http_request_duration_seconds",
            ("method", "route"),
            "From the request's head to the last byte of its answer.",
            _REQUEST_S,
        )
        self._bytes_in = Histogram("cvserve_http_request_body_bytes", (), "Size of request bodies.", _BYTES)
        self._bytes_out = Histogram("cvserve_http_response_body_bytes", (), "Size of answers' bodies.", _BYTES)
        self._observe_bytes_in, self._observe_bytes_out = self._bytes_in.cell(_NONE), self._bytes_out.cell(_NONE)

    def _make_prediction_counters(self) -> None:
        self._predictions = Counter(
            "cvserve_predictions_total",
            ("model", "version", "label", "source"),
            f"Predictions in the history, by class; `label` is `other` after the first {MAX_CLASSES} classes.",
        )
        self._scores = Histogram(
            "cvserve_prediction_score", ("model", "version"), "Probability of the best class.", _SCORES
        )
        self._stages = Histogram(
            "cvserve_stage_duration_seconds",
            ("stage",),
            "Where a prediction's time went: `decode` (with preparation), `queue`, `model` (the whole batch),"
            " `store` (until it is committed).",
            _STAGE_S,
        )
        self._batches = Histogram("cvserve_batch_size", ("model",), "Pictures that a worker took at once.", _BATCHES)
        self._busy = Counter("cvserve_worker_busy_seconds_total", (), "Time of all workers with a batch.")
        self._observe_score = self._scores.cell(self._model_version)
        self._observe_batch_size = self._batches.cell(self._model)
        self._observe_decode_s, self._observe_queue_s, self._observe_infer_s, self._observe_store_s = (
            self._stages.cell((stage,)) for stage in ("decode", "queue", "model", "store")
        )
        self._busy_s = self._busy.cell(_NONE)

    def _make_failure_counters(self) -> None:
        self._rejections = Counter(
            "cvserve_rejected_total",
            ("reason",),
            "Requests turned away or given up. 503: `queue_full`, `gave_way` (to a token with less in the full queue),"
            " `bytes` (`max_queue_bytes`), `connections` (as many as can be open), `history_turn`, `history_scan` (a"
            " list whose turn does not come, or that takes too long), `draining` (the server stops, or the model"
            " loads). Others: `rate_limit`, `too_large` (the body), `head_too_large`, `slow_client` (its head or"
            " body), `timeout` (of the model), `client_gone` (nobody was there to hear the answer).",
            [(reason,) for reason in REASONS],
        )
        self._auth_failures = Counter(
            "cvserve_auth_failures_total",
            ("reason",),
            "401 and 403: `missing` (no token), `invalid` (unknown, revoked, expired, or more than one), `scope`.",
            [(reason,) for reason in AUTH_FAILURES],
        )
        self._write_failures = Counter(
            "cvserve_history_write_failures_total", (), "Requests whose predictions could not be stored.", [_NONE]
        )
        self._restarts = Counter(
            "cvserve_worker_restarts_total",
            ("reason",),
            "Workers that were lost and replaced; `nursery`: the fork server, which makes them.",
            [(reason,) for reason in RESTART_REASONS],
        )

    @property
    def counters(self) -> tuple[Counter, ...]:
        """All counters, in the order of the page."""
        return (
            self._requests,
            self._predictions,
            self._busy,
            self._rejections,
            self._auth_failures,
            self._write_failures,
            self._restarts,
        )

    @property
    def histograms(self) -> tuple[Histogram, ...]:
        """All histograms, in the order of the page."""
        return self._durations, self._bytes_in, self._bytes_out, self._scores, self._stages, self._batches

    def count_answer(self, method: str, context: RequestContext) -> None:
        """Count an answer that is complete; to be called once for each line of the access log."""
        key = (method, context.route, context.status, context.actor.name if context.actor else "-")
        count, duration = self._answer_cells.get(key) or self._answer_cell(*key)
        count[0] += 1
        duration(perf_counter() - context.started_at)
        self._observe_bytes_in(context.bytes_in)
        self._observe_bytes_out(context.bytes_out)

    def count_prediction(self, prediction: Prediction, source: str, store_ms: float) -> None:
        """Count a prediction that was stored.

        Args:
            prediction: its `timing_ms` has `decode`, `queue` and `infer`.
            source: how the picture came, as in the history.
            store_ms: time until its row was committed.
        """
        key = (prediction.label, source)
        count = self._prediction_cells.get(key) or self._prediction_cell(*key)
        count[0] += 1
        self._observe_score(prediction.score)
        times = prediction.timing_ms
        self._observe_decode_s(times["decode"] / 1000)
        self._observe_queue_s(times["queue"] / 1000)
        self._observe_infer_s(times["infer"] / 1000)
        self._observe_store_s(store_ms / 1000)

    def _answer_cell(self, method: str, route: str, status: int, who: str) -> AnswerCell:
        """Find the cells of a kind of answers. What became `other` is not kept: callers could make ever more of it."""
        shown, token = method if method in METHODS else OTHER, who if who == "-" else self._token_label.limit(who)
        cell = self._requests.cell((shown, route, str(status), token)), self._durations.cell((shown, route))
        if (shown, token) == (method, who):
            self._answer_cells[method, route, status, who] = cell
        return cell

    def _prediction_cell(self, label: str, source: str) -> list[float]:
        shown = self._class_label.limit(label)
        cell = self._predictions.cell((*self._model_version, shown, source))
        if shown == label:
            self._prediction_cells[label, source] = cell
        return cell

    def count_error(self, error: CvserveError) -> None:
        """Count a request that is answered with an error, if it is one that an operator may have to act on."""
        if isinstance(error, Overloaded):
            self.count_rejection(error.reason)
        elif error.code in REJECTIONS:
            self.count_rejection(REJECTIONS[error.code])
        elif isinstance(error, Unauthenticated):
            self._auth_failures.add(("invalid" if error.credentials_sent else "missing",))
        elif isinstance(error, Forbidden):
            self._auth_failures.add(("scope",))

    def count_rejection(self, reason: str) -> None:
        """Count a request that was turned away, or whose client left before the answer.

        Args:
            reason: one of `REASONS`.
        """
        self._rejections.add((reason,))

    def count_failed_write(self) -> None:
        """Count a request whose predictions could not be stored."""
        self._write_failures.add(_NONE)

    def count_batch(self, size: int, busy_s: float) -> None:
        """Count a batch that a worker has answered: so many pictures in so many seconds."""
        self._observe_batch_size(size)
        self._busy_s[0] += busy_s

    def count_restart(self, reason: RestartReason) -> None:
        """Count a worker that was lost and is replaced."""
        self._restarts.add((reason,))
