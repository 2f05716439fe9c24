"""Writes what comes from the code in `docs/`: command line, settings, errors, metrics, the rooms of the architecture.

python scripts/make_docs.py            writes them
python scripts/make_docs.py --check    exits 1 when one of them is not what the code says today
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from typer.testing import CliRunner

from cvserve.cli import app
from cvserve.errors import CvserveError
from cvserve.predictor.prediction import ModelInfo
from cvserve.server.metrics import Metrics
from cvserve.server.problems import PROBLEMS
from cvserve.server.prometheus import list_metrics
from cvserve.setting_texts import format_default
from cvserve.settings import FIELDS, flag, variable
from list_rooms import with_rooms

DOCS = Path(__file__).parent.parent / "docs"
NOTE = "<!-- Made by scripts/make_docs.py from the code: change it there. -->\n\n"
_COLUMNS = "100"


def command_paths(application: typer.Typer, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command path, the root first: (), ("serve",), ("token",), ("token", "new")."""
    yield prefix
    for command in application.registered_commands:
        name = command.name or (command.callback.__name__ if command.callback else "")
        yield (*prefix, name.strip("_").replace("_", "-"))
    for group in application.registered_groups:
        if group.typer_instance is not None:
            yield from command_paths(group.typer_instance, (*prefix, group.name or ""))


def cli_page() -> str:
    """`--help` of every command, as it is printed."""
    runner = CliRunner(env={"COLUMNS": _COLUMNS, "TERMINAL_WIDTH": _COLUMNS, "NO_COLOR": "1"})
    parts = ["# The command line\n\n", NOTE, _EXIT_CODES]
    for path in command_paths(app):
        shown = " ".join(("cvserve", *path))
        text = runner.invoke(app, [*path, "--help"]).output
        parts.append(f"\n## `{shown}`\n\n```text\n{_trimmed(text)}\n```\n")
    return "".join(parts)


def settings_page() -> str:
    """The table of settings."""
    lines = [
        _SETTINGS_HEAD,
        "| setting | option | variable | default | a file may set it | what it is |\n",
        "|---|---|---|---|---|---|\n",
    ]
    for name, field in FIELDS.items():
        option = f"`{flag(name)}`" if field.metadata["flag"] else "–"
        variables = f"`{variable(name)}`" + (f", `{field.metadata['alias']}`" if field.metadata["alias"] else "")
        default = f"`{format_default(name)}`" if format_default(name) else "–"
        reach = field.metadata["reach"].value
        lines.append(f"| `{name}` | {option} | {variables} | {default} | {reach} | {field.metadata['help']} |\n")
    return "# Settings\n\n" + NOTE + "".join(lines)


def errors_page() -> str:
    """Codes and statuses, and which class of error means which."""
    meanings: dict[str, str] = {}
    for kind in _subclasses(CvserveError):
        meanings.setdefault(kind.code, (kind.__doc__ or "").split("\n")[0])
    lines = [_ERRORS_HEAD, "| code | status | title | when |\n|---|--:|---|---|\n"]
    for code, (status, title) in PROBLEMS.items():
        lines.append(f"| `{code}` | {status} | {title} | {meanings.get(code, '')} |\n")
    return "# Errors\n\n" + NOTE + "".join(lines) + _ERRORS_END


def metrics_page() -> str:
    """Every metric of ours."""
    lines = ["| metric | kind | labels | meaning |\n", "|---|---|---|---|\n"]
    for metric in sorted(list_metrics(Metrics(ModelInfo("", "", ""))), key=lambda metric: metric.name):
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} |\n")
    return "# Metrics\n\n" + NOTE + _METRICS_HEAD + "".join(lines) + _METRICS_END


def main() -> int:
    """Write or check; the exit code."""
    pages = {
        "cli.md": cli_page(),
        "settings.md": settings_page(),
        "errors.md": errors_page(),
        "metrics.md": metrics_page(),
        "architecture.md": with_rooms((DOCS / "architecture.md").read_text(encoding="utf-8")),
    }
    stale = [name for name, text in pages.items() if not _is(DOCS / name, text)]
    if "--check" in sys.argv:
        for name in stale:
            print(f"docs/{name} is not what the code says; run: python scripts/make_docs.py", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (DOCS / name).write_text(pages[name], encoding="utf-8")
        print(f"wrote docs/{name}")
    return 0


_EXIT_CODES = """Results are on stdout, messages on stderr. Exit codes:

| code | meaning |
|--:|---|
| 0 | done |
| 1 | ran, but the answer is no: a picture failed, the server is not ready, a model or a load test is below a limit |
| 2 | usage, or a setting that cannot be used |
| 3 | cannot start or cannot reach: port, database, folder, server |
| 4 | refused for safety: file modes, links, a token |
| 5 | the model cannot be loaded or is not trusted |
| 130 | Ctrl-C; a load test still writes its report, and `serve` ends with 0 unless Ctrl-C comes a second time |
"""

_SETTINGS_HEAD = """Each setting can be given in four places; the first one wins:

1. the option of `cvserve serve`,
2. the environment variable,
3. the same variable in `.env` of the working folder,
4. the setting's name as a key in `cvserve.toml` of the working folder.

A path in a file is relative to that file. Sizes are written like `20MiB` or `1048576`, times like `30s`, `5m` or `90d`.
`cvserve config` prints each value and where it comes from.

## Which files may say what

`.env` and `cvserve.toml` may be a stranger's: somebody clones a repository and types `cvserve serve` in it. So they
choose the model, how it is fed, sizes and formats. Who may come in, where secrets go, what is read or written outside
of the folder is for you to say. The column "a file may set it" tells:

| | |
|---|---|
| any folder | the files of any folder may set it |
| any folder, while only this machine can call | so while `host` is loopback; else as the fourth |
| any folder, for a path inside it | so when it is inside, all links followed; else as the fourth |
| a trusted folder | only a file that you have trusted |
| never a file | an option or a variable of the real environment |

An option, and a variable of the real environment (a container's, systemd's), may set everything. What a file must not
set is refused, not left out: `cvserve` ends with 4 and says which file, which setting, and the two ways out. One is to
say it yourself. The other is `cvserve config trust`: it shows what needs trust and, on a terminal, asks for the
beginning of each file's SHA-256; elsewhere give the hashes that you have checked:

```sh
cvserve config trust --sha256 "$(sha256sum .env | cut -c1-64)"
```

That is remembered for you and this folder (`~/.config/cvserve/trusted_folders.json`) until the file changes.
`cvserve config` marks what is refused and names the files that you have trusted. The same holds wherever the files are
read, for what is used of them: who may come in, and how (`host`, `token`, certificates, …) concerns `serve`, `health`
and `create_app()` without settings; `home` each command that has a history, and `History.open()`.

- `cvserve config trust` asks for whatever a file says beyond any folder, also where a flag overrides it now or `host`
  is still loopback. Trust in a path that leads out of the folder ends when its link leads elsewhere.
- A record of trust that lies in the folder that it speaks of is not believed, since it may have come with it: where
  `HOME` is that folder (a container), name another one by `XDG_CONFIG_HOME`. Your home by the password database is
  yours.

- `model` may lead anywhere: a model is checked by its format, and needs [trust](trust.md) where code can hide in it.
  `weights` of a file stay in its folder: they are handed to a class, which may show what is in them. What is read
  beside a model, `model.toml` and `labels.txt`, would stand in answers: a link from there to a file in another folder
  is refused (exit code 4), whoever has named the model, until `cvserve config trust --model FILE` vouches for what it
  leads to. A `model_config` that you name yourself may be a link to anywhere.
- `cvserve health` sends the token to a `host` of a file only when that is this machine, also when the file is trusted;
  else name the server with `--url`. Nor does a file choose the `port` that a token of yours is sent to, from the
  environment or a trusted file: then it asks without. It follows no redirect.
- A `token` in a file counts on loopback. It, or a `token_file` inside the folder, is refused as soon as `host` lets
  others in, whoever says so.
- A folder may come with a `cvserve.db`, and that with tokens. Those that you have neither made nor looked at
  (`cvserve token list`) are named at each start of `cvserve serve`. What you have seen is kept in
  `~/.local/state/cvserve`; where nothing can be kept, all are named. A file that was made before cvserve kept that
  (November 2026, by the clock of the kernel, which no archive brings along) is taken for yours.

## The settings

"""

_ERRORS_HEAD = """Every error, at every interface, is `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)):

```json
{"type": "/problems/not_found", "title": "Not found", "status": 404,
 "detail": "There is no such path.", "instance": "/requests/01a2…", "error": "There is no such path.",
 "code": "not_found", "request_id": "01a2…"}
```

`code` is for programs and `detail` for people; `error` says the same as `detail`, for clients of the Open Inference
Protocol. `request_id` is also in the header `X-Request-ID` and in `output.log`. A 503 and a 429 say in `Retry-After`
when to come back; a 415 says in `Accept-Post` what is taken.

"""

_ERRORS_END = """
## Too much at once

A 503 `overloaded` says in `detail` what there is no room for: pictures that wait for the model, bytes of requests in
memory, connections, lists of the history, or a list that takes too long to find. The same request works later, but for
the last one, which must ask for less. All limits of a request are in [http-api.md](http-api.md#limits), what the server
bears in all in [deployment.md](deployment.md#overload).

## In Python

The library raises the same errors. All of them are `CvserveError`, with `code` and `detail` as above; those that
a caller can do something about come from the package itself:

```python
from cvserve import CvserveError, ImageError, Predictor, UntrustedModel

try:
    predictor = Predictor.load("model.pkl")
except UntrustedModel as error:  # a ModelLoadError: code can hide in the file, and nobody has vouched for it
    raise SystemExit(f"look at it first: {error.sha256}")
try:
    prediction = predictor.predict("img.jpg")
except ImageError as error:  # InvalidImage, ImageTooLarge, UnsupportedImage: this one picture
    print(error.code, error.detail)
except CvserveError as error:  # the model, a setting, the history
    raise SystemExit(error.detail)
```
"""

_METRICS_HEAD = """`GET /metrics` is what Prometheus reads: the text format, or OpenMetrics where `Accept` asks for it.
It wants a token with the scope `metrics`, which need not open anything else:

```sh
cvserve token new prometheus --scope metrics
```

```yaml
scrape_configs:
  - job_name: cvserve
    authorization:
      credentials_file: /etc/prometheus/cvserve.token   # the token and nothing else; `Bearer` is the default
    static_configs:
      - targets: ["127.0.0.1:8000"]
```

All numbers are of one app since its start, and of the whole of it: the front counts, also what its workers do.

"""

_METRICS_END = """
On top come `process_*` (memory, CPU time, open files: of the front, not of its workers; Linux only) and `python_gc_*`.

## Questions

How long do 95 of 100 pictures take?

```promql
histogram_quantile(0.95, sum by (le) (
  rate(cvserve_http_request_duration_seconds_bucket{route="/predict", method="POST"}[5m])
))
```

How much of the workers' time is used? Above 0.8 it is time for more cores.

```promql
rate(cvserve_worker_busy_seconds_total[5m]) / on (instance, job) cvserve_workers{state="wanted"}
```

Are the classes the same as a week ago? What has risen most:

```promql
topk(5,
  sum by (label) (rate(cvserve_predictions_total[1h])) - sum by (label) (rate(cvserve_predictions_total[1h] offset 1w))
)
```
"""


def _subclasses(kind: type[CvserveError]) -> Iterator[type[CvserveError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _subclasses(child)


def _trimmed(text: str) -> str:
    return re.sub(r"[ \t]+\n", "\n", text).strip("\n")


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
