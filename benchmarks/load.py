"""Load by wrk: a closed loop of connections that send pictures in turn, each as multipart field `file`."""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

LOAD_CORE = "1"
MARK = "cvserve-benchmark "
BOUNDARY = "cvserve-benchmark-boundary"
TIMEOUT_S = 30
SCRIPT = """
local folder, names, token, field = "@folder@", {@names@}, "@token@", @field@
local boundary, ready, turn = "@boundary@", {}, 0
function init(args)
  local headers = {["Authorization"] = "Bearer " .. token}
  if #names == 0 then ready[1] = wrk.format("GET", nil, headers) end
  if #names > 0 then headers["Content-Type"] = "multipart/form-data; boundary=" .. boundary end
  for _, name in ipairs(names) do
    local handle = assert(io.open(folder .. "/" .. name, "rb"))
    local head = 'Content-Disposition: form-data; name="file"; filename="' .. name .. '"\\r\\nContent-Type: image/jpeg'
    local body = "--" .. boundary .. "\\r\\n" .. head .. "\\r\\n\\r\\n" .. handle:read("*a") .. "\\r\\n"
    if field then
      local first = '\\r\\nContent-Disposition: form-data; name="token"\\r\\n\\r\\n'
      body = "--" .. boundary .. first .. token .. "\\r\\n" .. body
    end
    handle:close()
    ready[#ready + 1] = wrk.format("POST", nil, headers, body .. "--" .. boundary .. "--\\r\\n")
  end
end
function request()
  turn = turn % #ready + 1
  return ready[turn]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '@mark@{"requests":%d,"duration_us":%d,"refused":%d,"broken":%d,"p50_us":%d,"p99_us":%d}\\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Load:
    """What came of one run.

    Attributes:
        good: answers below 400.
        refused: answers of 400 and above.
        broken: connections, reads, writes or waits that failed.
        rate: answers a second.
        p50_ms, p99_ms: latency in milliseconds.
    """

    good: int
    refused: int
    broken: int
    rate: float
    p50_ms: float
    p99_ms: float


def parse(output: str) -> Load:
    """What wrk printed.

    Raises:
        ValueError: there is no line of our script in it.
    """
    line = next((line for line in output.splitlines() if line.startswith(MARK)), None)
    if line is None:
        raise ValueError(f"wrk printed no summary: {output[-500:]}")
    said = json.loads(line.removeprefix(MARK))
    return Load(
        good=said["requests"] - said["refused"],
        refused=said["refused"],
        broken=said["broken"],
        rate=said["requests"] / (said["duration_us"] / 1e6),
        p50_ms=said["p50_us"] / 1000,
        p99_ms=said["p99_us"] / 1000,
    )


def script(folder: Path | None, token: str, *, token_field: bool) -> str:
    """The Lua script: pictures of a folder in turn, or GET when there is none."""
    names = [] if folder is None else sorted(path.name for path in folder.glob("*.jpg"))
    text = SCRIPT
    for key, value in {
        "folder": "" if folder is None else folder.as_posix(),
        "names": ", ".join(f'"{name}"' for name in names),
        "token": token,
        "field": str(token_field).lower(),
        "boundary": BOUNDARY,
        "mark": MARK,
    }.items():
        text = text.replace(f"@{key}@", value)
    return text


def run(
    url: str, connections: int, seconds: float, folder: Path | None, token: str, *, token_field: bool, pinned: bool
) -> Load:
    """Drive a server on this machine for so many seconds."""
    if not url.startswith("http://127.0.0.1:"):
        raise ValueError("load goes to this machine only")
    with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="utf-8") as file:
        file.write(script(folder, token, token_field=token_field))
        file.flush()
        pin = ["taskset", "-c", LOAD_CORE] if pinned else []
        wrk = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", f"--timeout={TIMEOUT_S}s"]
        ended = subprocess.run(
            [*pin, *wrk, "-s", file.name, url], capture_output=True, text=True, check=True, timeout=seconds + 60
        )
    return parse(ended.stdout)
