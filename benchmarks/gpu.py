"""A network on a device: cvserve there, cvserve on the CPU, and the bare network in a loop, by PyTorch and as ONNX.

python benchmarks/gpu.py                                        the first CUDA device; Markdown on stdout; Linux
python benchmarks/gpu.py --device cpu --width 8 --seconds 1     whether everything works, on any machine

It also looks whether workers on the device were spawned and not forked, how many they are, and what memory they take.
Weights are random: what is measured depends on sizes alone.
"""

import argparse
import contextlib
import http.client
import io
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

SIDE_PX = 224
BATCH = 32
# What a user would write: a ResNet-18, as wide as asked for.
NET_PY = """
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self, taken, given, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(taken, given, 3, stride, 1, bias=False), nn.BatchNorm2d(given), nn.ReLU(),
            nn.Conv2d(given, given, 3, 1, 1, bias=False), nn.BatchNorm2d(given))
        same = stride == 1 and taken == given
        self.short = nn.Identity() if same else nn.Sequential(
            nn.Conv2d(taken, given, 1, stride, bias=False), nn.BatchNorm2d(given))

    def forward(self, x):
        return torch.relu(self.body(x) + self.short(x))

class Net(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        sizes = [(width, width, 1), (width, 2 * width, 2), (2 * width, 4 * width, 2), (4 * width, 8 * width, 2)]
        blocks = [Block(*one) for taken, given, step in sizes for one in ((taken, given, step), (given, given, 1))]
        self.body = nn.Sequential(
            nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1), *blocks)
        self.head = nn.Linear(8 * width, 1000)

    def forward(self, x):
        return self.head(self.body(x).mean(dim=(2, 3)))
"""
TOML = f"""[input]
size = [{SIDE_PX}, {SIDE_PX}]
mode = "RGB"
resize = "stretch"
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
"""


class Figures(NamedTuple):
    """What a load gave."""

    per_s: float
    p50_ms: float
    p95_ms: float


def main() -> int:
    """Make the networks, measure them, and print the tables; 1 when workers on a device are not as they should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--half", action="store_true")
    parser.add_argument("--width", type=int, default=64, help="of the network; 64 is ResNet-18")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--connections", default="1,16,64")
    said = parser.parse_args()
    connections = [int(text) for text in said.connections.split(",")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        net = make_models(folder, said.width)
        picture = make_picture()
        print(f"PyTorch {torch.__version__}, {os.cpu_count()} cores, {describe_device(said.device)}\n")
        print_bare(net, said.device, said.half, picture, said.seconds)
        print("\n| served | device | connections | pictures/s | p50 ms | p95 ms | workers | PSS MiB | device MiB |")
        print("|---|---|---|---|---|---|---|---|---|")
        models = {"PyTorch": ["--model", "net.py:Net", "--weights", "net.pth"], "ONNX": ["--model", "served.onnx"]}
        is_good = True
        for title, options in models.items():
            for device in dict.fromkeys((said.device, "cpu")):
                half = ["--half"] if said.half and device != "cpu" and title == "PyTorch" else []
                with serving(folder, [*options, "--device", device, *half]) as (pid, port):
                    for count in connections:
                        figures = load(port, picture, count, said.seconds)
                        print_served(title, device, count, figures, pid)
                    is_good &= device == "cpu" or are_spawned(pid)
    if said.device != "cpu":
        print("\nOne worker on the device, spawned." if is_good else "\nWorkers on the device were forked, or several!")
    return 0 if is_good else 1


def make_models(folder: Path, width: int) -> Any:
    """`net.py` with its weights, and `served.onnx`; gives the module."""
    (folder / "net.py").write_text(NET_PY, encoding="utf-8")
    (folder / "net.toml").write_text(TOML + f"[model]\nargs = {{width = {width}}}\n", encoding="utf-8")
    made: dict[str, Any] = {}
    exec(NET_PY, made)
    torch.manual_seed(0)
    net = made["Net"](width).eval()
    torch.save(net.state_dict(), folder / "net.pth")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        sample = torch.zeros(1, 3, SIDE_PX, SIDE_PX)
        names = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "n"}, "y": {0: "n"}}}
        torch.onnx.export(net, (sample,), folder / "served.onnx", dynamo=False, **names)
    (folder / "served.toml").write_text(TOML, encoding="utf-8")
    return net


def make_picture() -> bytes:
    """A JPEG of 640 × 480 pixels that is neither noise nor empty."""
    y, x = np.mgrid[0:480, 0:640]
    pixels = np.stack([(x + y) % 256, (x * y // 64) % 256, (x - y) % 256], axis=2).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def describe_device(device: str) -> str:
    """Its own name, and the version of what drives it."""
    if device.startswith("cuda"):
        return f"{torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}"
    return device


def print_bare(net: Any, device: str, half: bool, picture: bytes, seconds: float) -> None:
    """What the network does without a server: the device alone, and one picture after the other from its bytes."""
    dtype = torch.float16 if half and device != "cpu" else torch.float32
    net = net.to(device=device, dtype=dtype)
    print("| bare network | pictures/s |\n|---|---|")
    for size in (1, BATCH):
        work = partial(ask, net, torch.rand(size, 3, SIDE_PX, SIDE_PX), device, dtype)
        print(f"| batches of {size} | {size * repeat(work, seconds):.0f} |")

    def decode_and_ask() -> None:
        image = Image.open(io.BytesIO(picture)).convert("RGB").resize((SIDE_PX, SIDE_PX))
        array = np.asarray(image, dtype=np.float32).transpose(2, 0, 1)[None] / 255
        ask(net, torch.from_numpy(array), device, dtype)

    print(f"| JPEG decoded, one by one | {repeat(decode_and_ask, seconds):.0f} |")


def ask(net: Any, batch: Any, device: str, dtype: Any) -> None:
    """One batch there, and its scores back."""
    with torch.inference_mode():
        net(batch.to(device=device, dtype=dtype)).float().cpu()


def repeat(work: Callable[[], None], seconds: float) -> float:
    """How often a second it can be done, after a warm-up."""
    for _ in range(3):
        work()
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        work()
        count += 1
    return count / (time.perf_counter() - begin)


@contextlib.contextmanager
def serving(folder: Path, options: list[str]) -> Iterator[tuple[int, int]]:
    """A server in a folder of its own for its history; gives its process id and its port."""
    command = [sys.executable, "-m", "cvserve", "serve", "--no-auth", "--port", "0", *options]
    server = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    said = ""
    try:
        while "http://127.0.0.1:" not in said:
            line = server.stderr.readline()
            said += line
            if not line:
                raise SystemExit(f"the server did not start: {said}")
        port = int(said.partition("http://127.0.0.1:")[2].split()[0])
        threading.Thread(target=server.stderr.read, daemon=True).start()
        yield server.pid, port
    finally:
        server.terminate()
        server.wait(60)


def load(port: int, picture: bytes, connections: int, seconds: float) -> Figures:
    """Ask from so many connections at once, each with one request after the other."""
    times_ms: list[float] = []
    end = time.perf_counter() + seconds

    def ask_again() -> None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while time.perf_counter() < end:
            begin = time.perf_counter()
            client.request("POST", "/predict", picture, {"Content-Type": "image/jpeg"})
            answer = client.getresponse()
            if answer.status != 200:
                raise SystemExit(f"the server answered {answer.status}: {answer.read()[:500]!r}")
            answer.read()
            times_ms.append((time.perf_counter() - begin) * 1000)

    threads = [threading.Thread(target=ask_again) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ordered = sorted(times_ms)
    return Figures(len(ordered) / seconds, statistics.median(ordered), ordered[int(0.95 * (len(ordered) - 1))])


def print_served(title: str, device: str, connections: int, figures: Figures, pid: int) -> None:
    """One line of the table."""
    memory = sum(_pss_mib(each) for each in [pid, *_tree(pid)])
    print(
        f"| {title} | {device} | {connections} | {figures.per_s:.0f} | {figures.p50_ms:.1f} | {figures.p95_ms:.1f} "
        f"| {len(_workers(pid))} | {memory:.0f} | {_device_mib(pid)} |",
        flush=True,
    )


def are_spawned(pid: int) -> bool:
    """Whether one worker has loaded its model itself, and what makes workers does not hold the device."""
    commands = [Path(f"/proc/{worker}/cmdline").read_text(encoding="utf-8").split("\0") for worker in _workers(pid)]
    maker = _children(pid)[0]
    return len(commands) == 1 and "worker" in commands[0] and "libcuda" not in Path(f"/proc/{maker}/maps").read_text()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def _tree(pid: int) -> list[int]:
    return [found for child in _children(pid) for found in (child, *_tree(child))]


def _workers(pid: int) -> list[int]:
    return [worker for maker in _children(pid) for worker in _children(maker)]


def _pss_mib(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


def _device_mib(pid: int) -> str:
    """Memory of the device that the server's processes hold; `–` where nobody tells."""
    query = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
    with contextlib.suppress(OSError, ValueError):
        said = subprocess.run(query, capture_output=True, text=True, check=False).stdout
        used = [line.split(",") for line in said.splitlines() if line.count(",") == 1]
        mine = [int(size) for each, size in used if int(each) in _tree(pid)]
        return str(sum(mine)) if mine else "–"
    return "–"


if __name__ == "__main__":
    sys.exit(main())
