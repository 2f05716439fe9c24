"""Promise 6: one picture costs bounded time and memory."""

import io
import time
import zlib

from PIL import Image

from promises.harness import Client, Outcome, Promise, Target, main, memory_mib, served
from support.bad_pictures import chunk
from support.process import workers_of

PROMISE = Promise(
    6,
    "One picture, whatever it is, takes a worker at most 800 MiB and 4 s.",
    "each bomb alone on a fresh server with one worker: highest memory of the worker, time of the answer",
)
_MAX_MIB, _MAX_S = 800, 4.0
_WEBP = "5249464626000000574542505650384c190000002f3fdfcf17075081540820000a1a02495bbced8f8f88e87f0000"


def measure(target: Target) -> Outcome:
    """One bomb after the other."""
    figures: dict[str, str] = {}
    worst_mib, worst_s, failed = 0.0, 0.0, 0
    for number, (name, bomb) in enumerate(make_bombs().items()):
        with served(target, "--workers", "1", home=f"home{number}") as server:
            (worker,) = workers_of(server.process.pid)
            begin = time.perf_counter()
            status, _ = Client(server.url, timeout_s=60).predict(bomb)
            took_s = time.perf_counter() - begin
            peak = memory_mib(worker, "VmHWM") if worker in workers_of(server.process.pid) else 0.0
        figures[name] = f"{len(bomb)} bytes: {status}, {took_s:.1f} s, {peak:.0f} MiB"
        worst_mib, worst_s, failed = max(worst_mib, peak), max(worst_s, took_s), failed + (status >= 500)
    return Outcome(figures, worst_mib <= _MAX_MIB and worst_s <= _MAX_S and not failed)


def make_bombs() -> dict[str, bytes]:
    """By name."""
    palette = chunk(b"PLTE", bytes(768)) + chunk(b"tRNS", bytes(256))
    photo = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 100, 50)).save(photo, "JPEG")
    jpeg = photo.getvalue()
    return {
        "WebP, lossless, alpha": bytes.fromhex(_WEBP),
        "PNG, 16-bit grey": png(8_000, 8_000, depth=16, colour=0, row_bytes=16_000),
        "PNG, palette with alpha": png(8_000, 8_000, depth=8, colour=3, row_bytes=8_000, extra=palette),
        "PNG, 16-bit RGBA": png(8_000, 8_000, depth=16, colour=6, row_bytes=64_000),
        "JPEG, fill bytes": jpeg[:2] + b"\xff" * (15 * 1024**2) + jpeg[2:],
    }


def png(width: int, height: int, *, depth: int, colour: int, row_bytes: int, extra: bytes = b"") -> bytes:
    """A PNG of nothing but zeros."""
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, colour, 0, 0, 0])
    pack = zlib.compressobj(9)
    row = bytes(row_bytes + 1)
    data = b"".join(pack.compress(row) for _ in range(height)) + pack.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


if __name__ == "__main__":
    main(PROMISE, measure)
