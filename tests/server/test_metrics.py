"""GET /metrics: every answer is counted once, labels have an end, and only who may look does."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as families

from cvserve.errors import NotFound, NotReady, Unauthenticated
from cvserve.predictor.images.info import ImageInfo
from cvserve.predictor.prediction import ModelInfo, Prediction
from cvserve.server.actor import Actor
from cvserve.server.context import RequestContext
from cvserve.server.metrics import MAX_CLASSES, MAX_TOKENS, Metrics
from cvserve.server.transport.limits import ConnectionLimits
from cvserve.store.sqlite import sqlite3
from support.answers import assert_problem
from support.fakes import BrightnessPredictor, FailingPredictor, GatedPredictor
from support.pictures import grey
from support.raw import RawConnection
from support.threaded import ThreadedServer
from support.tokens import make_token
from support.waiting import wait_until

Start = Callable[..., ThreadedServer]
ROUTES = {"/predict", "/predict/batch", "/predict/{id}", "/livez", "/readyz", "/metrics", "unmatched"}


class Scrape:
    """One answer of /metrics, parsed."""

    def __init__(self, client: httpx.Client) -> None:
        answer = client.get("/metrics")
        assert answer.status_code == 200, answer.text
        self.families = list(families(answer.text))
        self.samples = [sample for family in self.families for sample in family.samples]

    def value(self, name: str, **labels: str) -> float:
        """The sum of all samples of that name that have these labels."""
        return sum(
            sample.value for sample in self.samples if sample.name == name and labels.items() <= sample.labels.items()
        )

    def by(self, name: str, *labels: str) -> Counter[tuple[str, ...]]:
        """Values by some of the labels, without those that are 0."""
        found: Counter[tuple[str, ...]] = Counter()
        for sample in self.samples:
            if sample.name == name and sample.value:
                found[tuple(sample.labels[label] for label in labels)] += int(sample.value)
        return found


def send_all_kinds(server: ThreadedServer) -> Counter[tuple[str, ...]]:
    """Good and bad requests; how many of which method, route, status and token."""
    sent: Counter[tuple[str, ...]] = Counter()
    files = [("file", ("a.png", grey(0))), ("file", ("b.png", grey(255))), ("file", ("c.txt", b"bread"))]
    requests: list[tuple[str, str, str, str, dict[str, Any]]] = [
        *[("POST", "/predict", "/predict", "env", {"content": grey(level)}) for level in (0, 100, 255)],
        ("PUT", "/predict", "/predict", "env", {"content": grey(0)}),
        ("POST", "/predict", "/predict", "env", {"content": b"bread, milk"}),
        ("POST", "/predict", "/predict", "env", {"content": b"x" * 3000}),
        ("POST", "/predict", "/predict", "env", {"content": grey(0), "params": {"top_k": "many"}}),
        ("POST", "/predict/batch", "/predict/batch", "env", {"files": files}),
        ("GET", "/predict/1", "/predict/{id}", "env", {}),
        ("GET", "/predict/999", "/predict/{id}", "env", {}),
        ("GET", "/predict", "/predict", "env", {}),
        ("HEAD", "/livez", "/livez", "env", {}),
        ("DELETE", "/predict", "/predict", "env", {}),
        ("MKCOL", "/predict", "/predict", "env", {}),
        ("GET", "/nothing/here", "unmatched", "env", {}),
        ("GET", "/predict/1", "unmatched", "-", {}),
    ]
    with server.client() as client, httpx.Client(base_url=server.url, verify=False) as stranger:
        for method, path, route, token, options in requests:
            answer = (client if token != "-" else stranger).request(method, path, **options)
            sent["other" if method == "MKCOL" else method, route, str(answer.status_code), token] += 1
    return sent


def test_counts_are_what_was_sent_and_what_was_logged(threaded_server: Start) -> None:
    server = threaded_server(max_body=2000)
    sent = send_all_kinds(server)
    assert {key[2] for key in sent} == {"200", "401", "404", "405", "413", "422"}
    lines = len(server.log_lines())
    with server.client() as client:
        seen = Scrape(client)
        assert seen.by("cvserve_http_requests_total", "method", "route", "status", "token") == sent
        assert seen.value("cvserve_http_requests_total") == lines == sent.total()
        for name in ("http_request_duration_seconds", "http_request_body_bytes", "http_response_body_bytes"):
            assert seen.value(f"cvserve_{name}_count") == lines
        assert seen.value("cvserve_http_request_duration_seconds_bucket", le="+Inf") == lines
        assert seen.by("cvserve_predictions_total", "model", "label", "source") == {
            ("brightness", "black", "http"): 3,
            ("brightness", "dark", "http"): 1,
            ("brightness", "white", "http"): 2,
        }
        assert seen.value("cvserve_prediction_score_count") == 6
        assert seen.value("cvserve_prediction_score_bucket", le="0.6") == 0
        assert seen.value("cvserve_prediction_score_bucket", le="0.7") == 6
        stages = seen.by("cvserve_stage_duration_seconds_count", "stage")
        assert stages == {(stage,): 6 for stage in ("decode", "queue", "model", "store")}
        assert seen.value("cvserve_batch_size_sum") == 8  # the two that are no pictures went to a worker, too
        assert seen.value("cvserve_worker_busy_seconds_total") > 0
        assert seen.by("cvserve_rejected_total", "reason") == {("too_large",): 1}
        assert seen.by("cvserve_auth_failures_total", "reason") == {("missing",): 1}
        again = Scrape(client)
        assert again.value("cvserve_http_requests_total", route="/metrics", status="200") == 1


def test_bodies_are_counted_in_bytes(threaded_server: Start) -> None:
    server = threaded_server()
    with server.client() as client:
        answer = client.post("/predict", content=grey(0))
        seen = Scrape(client)
    assert seen.value("cvserve_http_request_body_bytes_sum") == len(grey(0))
    assert seen.value("cvserve_http_response_body_bytes_sum") == len(answer.content)


def test_what_is_looked_up_at_a_scrape(threaded_server: Start) -> None:
    server = threaded_server(max_queue=77)
    info = server.resources.engine.info
    with server.client() as client:
        seen = Scrape(client)
    assert seen.value("cvserve_queue_limit") == 77
    assert seen.value("cvserve_queue_depth", model="brightness") == 0
    assert seen.value("cvserve_workers", state="live") == seen.value("cvserve_workers", state="wanted") > 0
    of_model = {"model": info.name, "version": info.version, "sha256": info.sha256, "device": "cpu"}
    assert seen.value("cvserve_model_info", **of_model) == 1
    assert seen.value("cvserve_build_info") == 1
    assert seen.value("cvserve_model_loaded_timestamp_seconds") > 1_700_000_000
    assert seen.value("cvserve_log_lines_lost_total") == 0
    assert {family.name for family in seen.families} >= {"process_cpu_seconds", "python_gc_collections"}


def test_every_metric_is_named_after_the_rules(shared: ThreadedServer) -> None:
    with shared.client() as client:
        client.post("/predict", content=grey(0))
        for family in Scrape(client).families:
            assert family.name.startswith(("cvserve_", "process_", "python_gc_"))
            assert family.documentation
            for sample in family.samples:
                if "route" in sample.labels:
                    assert sample.labels["route"] in ROUTES


def test_reasons_are_there_before_anything_went_wrong(threaded_server: Start) -> None:
    with threaded_server().client() as client:
        seen = Scrape(client)
    for name, reasons in {
        "cvserve_rejected_total": {
            "queue_full",
            "gave_way",
            "bytes",
            "connections",
            "history_turn",
            "history_scan",
            "draining",
            "rate_limit",
            "too_large",
            "head_too_large",
            "slow_client",
            "timeout",
            "client_gone",
        },
        "cvserve_auth_failures_total": {"missing", "invalid", "scope"},
        "cvserve_worker_restarts_total": {"exit", "signal", "hung", "memory", "nursery"},
    }.items():
        found = {sample.labels["reason"]: sample.value for sample in seen.samples if sample.name == name}
        assert found == dict.fromkeys(reasons, 0)


def test_nothing_is_in_progress_after_an_error(threaded_server: Start) -> None:
    server = threaded_server(FailingPredictor())
    with server.client() as client:
        assert_problem(client.post("/predict", content=grey(255)), "model_error")
        assert Scrape(client).value("cvserve_http_requests_in_progress") == 1  # the scrape itself
    wait_until(lambda: server.resources.metrics.in_progress == 0)


def test_requests_are_in_progress_until_they_are_answered(threaded_server: Start) -> None:
    model = GatedPredictor()
    server = threaded_server(model)
    with server.client() as client, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.post, "/predict", content=grey(0))
        assert model.entered.wait(30)
        assert Scrape(client).value("cvserve_http_requests_in_progress") == 2
        model.gate.set()
        assert answer.result().status_code == 200
        assert Scrape(client).value("cvserve_http_requests_in_progress") == 1


def test_those_turned_away_are_counted_by_reason(threaded_server: Start) -> None:
    model = GatedPredictor()
    server = threaded_server(model, max_queue=1, max_batch_size=1, predict_timeout=1.0)
    with server.client() as client, ThreadPoolExecutor(8) as pool:
        late = [pool.submit(client.post, "/predict", content=grey(0)) for _ in range(8)]
        statuses = Counter(future.result().status_code for future in late)
        model.gate.set()
        seen = Scrape(client)
    assert set(statuses) == {503, 504}
    assert seen.by("cvserve_rejected_total", "reason") == {("queue_full",): statuses[503], ("timeout",): statuses[504]}


def test_each_limit_that_refuses_has_a_reason_of_its_own(home: Path) -> None:
    model = GatedPredictor()
    limits = ConnectionLimits(head_s=0.2, grace_s=0.2, body_rate=1e9, sweep_s=0.05)
    server = ThreadedServer(home, model, limits=limits, max_queue_bytes=100_000)
    token = server.token
    try:
        with RawConnection(server.url) as busy:
            busy.request("POST", "/predict", token=token, body=grey(0) + bytes(60_000))
            assert model.entered.wait(30)
            refused = {
                "bytes": ("POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 60000", 503),
                "too_large": ("POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100001", 413),
                "head_too_large": (f"GET / HTTP/1.1\r\nHost: x\r\nX: {'x' * 20_000}", 431),
                "head_too_large ": (f"GET /{'x' * 9_000} HTTP/1.1\r\nHost: x", 414),
                "slow_client": ("POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 10", 408),
            }
            for head, status in refused.values():
                with RawConnection(server.url) as raw:
                    raw.send(f"{head}\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
                    assert raw.answer().status == status
            model.gate.set()
            assert busy.answer().status == 200
        with server.client() as client:
            counted = Scrape(client).by("cvserve_rejected_total", "reason")
    finally:
        model.gate.set()
        server.stop()
    assert counted == {(reason,): count for reason, count in Counter(map(str.strip, refused)).items()}


def test_client_that_leaves_is_counted(threaded_server: Start) -> None:
    server = threaded_server()
    with RawConnection(server.url) as raw:
        raw.request("POST", "/predict", "Expect: 100-continue", "Content-Length: 1000", token=server.token)
        assert raw.answer().status == 100
    wait_until(server.log_lines)
    with server.client() as client:
        seen = Scrape(client)
    assert seen.by("cvserve_rejected_total", "reason") == {("client_gone",): 1}
    assert seen.value("cvserve_http_requests_total", status="499", route="/predict") == 1


def test_history_that_cannot_be_written_is_counted(threaded_server: Start) -> None:
    server = threaded_server()
    database = sqlite3.connect(server.settings.database_path)
    with server.client() as client:
        database.execute("ALTER TABLE predictions RENAME TO away")
        database.commit()
        assert_problem(client.post("/predict", content=grey(0)), "history_unavailable")
        seen = Scrape(client)
        database.close()
    assert seen.value("cvserve_history_write_failures_total") == 1
    assert seen.value("cvserve_predictions_total") == 0


def test_bytes_that_are_no_http_are_counted_as_they_are_logged(threaded_server: Start) -> None:
    server = threaded_server()
    with RawConnection(server.url) as raw:
        raw.send(b"\x16\x03\x01 hello\r\n\r\n")
        assert raw.answer().status == 400
    with server.client() as client:
        seen = Scrape(client)
    expected = {("other", "unmatched", "400", "-"): 1}
    assert seen.by("cvserve_http_requests_total", "method", "route", "status", "token") == expected


def test_only_the_scope_opens_it(threaded_server: Start, home: Path) -> None:
    secrets = {scope: make_token(home, scope, scope) for scope in ("predict", "metrics")}
    server = threaded_server()
    with server.client(secrets["predict"]) as client:
        assert_problem(client.get("/metrics"), "forbidden")
        assert_problem(client.get("/metrics", headers={"Authorization": "Bearer wrong"}), "unauthenticated")
        del client.headers["Authorization"]
        assert_problem(client.get("/metrics"), "unauthenticated")
    with server.client(secrets["metrics"]) as client:
        failures = Scrape(client).by("cvserve_auth_failures_total", "reason")
        assert failures == {("missing",): 1, ("invalid",): 1, ("scope",): 1}
        assert_problem(client.post("/predict", content=grey(0)), "forbidden")


def test_openmetrics_for_who_asks(client: httpx.Client) -> None:
    client.post("/predict", content=grey(0))
    for accept in ("application/openmetrics-text", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"):
        answer = client.get("/metrics", headers={"Accept": accept})
        assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        assert answer.text.endswith("# EOF\n")
        names = {family.name for family in openmetrics_families(answer.text)}
        assert {"cvserve_http_requests", "cvserve_stage_duration_seconds", "cvserve_workers"} <= names


@pytest.mark.parametrize(
    "accept",
    [b"", b"*/*", b"text/html", b"application/openmetrics-text;version=x", b"text/plain;version=\xa01.0.0", b";,=;"],
)
def test_anything_else_is_the_text_format(client: httpx.Client, accept: bytes) -> None:
    answer = client.get("/metrics", headers={b"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# EOF" not in answer.text


def test_two_apps_do_not_share(tmp_path: Path) -> None:
    servers = []
    try:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            servers.append(ThreadedServer(tmp_path / name, BrightnessPredictor()))
        with servers[0].client() as one, servers[1].client() as two:
            one.post("/predict", content=grey(0))
            assert Scrape(one).value("cvserve_predictions_total") == 1
            assert Scrape(two).value("cvserve_predictions_total") == 0
    finally:
        for server in servers:
            server.stop()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(ModelInfo("m", "0" * 64, "sklearn"))


class OddlyNamed(BrightnessPredictor):
    """Has a name that no text can hold, as a file's name can be."""

    name = "m\udcffdel"


def test_name_that_is_no_unicode_does_not_spoil_the_page(threaded_server: Start) -> None:
    with threaded_server(OddlyNamed()).client() as client:
        answer = client.get("/metrics")
    assert answer.status_code == 200
    assert 'model="m?del"' in answer.text


def test_token_names_have_an_end(metrics: Metrics) -> None:
    for number in [*range(MAX_TOKENS + 5), 0]:
        actor = Actor(f"token-{number}", number, frozenset())
        metrics.count_answer("GET", RequestContext("r", "-", actor, status=200))
    tokens = {key[3]: value for key, value in metrics.counters[0].read()}
    assert len(tokens) == MAX_TOKENS + 1
    assert (tokens["token-0"], tokens["other"]) == (2, 5)


def test_classes_have_an_end(metrics: Metrics) -> None:
    for number in [*range(MAX_CLASSES + 5), 0]:
        times = {"decode": 1.0, "queue": 1.0, "infer": 1.0}
        model = ModelInfo("m", "0" * 64, "sklearn")
        metrics.count_prediction(
            Prediction(number, f"c{number}", 0.5, (), model, None, times, ImageInfo(1, 1, "PNG")), "http", 1.0
        )
    labels = {key[2]: value for key, value in metrics.counters[1].read()}
    assert len(labels) == MAX_CLASSES + 1
    assert (labels["c0"], labels["other"]) == (2, 5)


def test_restarts_are_counted_by_reason(threaded_server: Start) -> None:
    server = threaded_server()
    server.resources.engine.on_restart("hung")
    with server.client() as client:
        assert Scrape(client).by("cvserve_worker_restarts_total", "reason") == {("hung",): 1}


def test_errors_are_counted_where_somebody_may_have_to_act(metrics: Metrics) -> None:
    for error in (NotReady("Stopping."), NotFound("Nothing."), Unauthenticated("Bad.", credentials_sent=True)):
        metrics.count_error(error)
    counted = [(key, value) for counter in metrics.counters for key, value in counter.read() if value]
    assert counted == [(("draining",), 1), (("invalid",), 1)]


def test_prometheus_client_is_loaded_at_the_first_scrape() -> None:
    code = "import sys, cvserve.server.run; print('prometheus_client' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout == "False\n"
