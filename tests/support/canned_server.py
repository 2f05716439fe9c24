"""A server that does nothing but answer at once, so that any load generator is slower than it.

python -m support.canned_server
"""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import uvloop

_TESTS = Path(__file__).parent.parent
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_BODY = json.dumps({"id": 1, "result": 3, "model": {"name": "canned", "version": "0"}}).encode()
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(_BODY) + _BODY


class Canned(asyncio.Protocol):
    """One connection, one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, found, body = self.data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if found and len(body) >= (int(length[1]) if length else 0):
            self.data = b""
            self.transport.write(_ANSWER)  # type: ignore[attr-defined]


class CannedServer:
    """Started when made; answers when the constructor returns."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "support.canned_server"]
        self.process = subprocess.Popen(command, cwd=_TESTS, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.url = self.process.stdout.readline().strip()

    def stop(self) -> None:
        """End it and wait."""
        self.process.terminate()
        self.process.wait(timeout=20)
        assert self.process.stdout
        self.process.stdout.close()


async def main() -> None:
    """Serve for ever."""
    server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
