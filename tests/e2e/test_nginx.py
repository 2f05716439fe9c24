"""Behind a real nginx, configured as `docs/deployment.md` says."""

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from support.pages import blocks
from support.pictures import grey
from support.process import ServerProcess

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed (scripts/test installs it on Debian)")
TOKEN = "a-token-of-more-than-16-characters"
_CONFIG = """
daemon off;
pid nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server {{ listen 127.0.0.2:{port}; {location} }}
}}
"""


@pytest.fixture
def server(server_process: Callable[..., ServerProcess]) -> ServerProcess:
    (line,) = [block for block in blocks("docs/deployment.md", "sh") if "--root-path" in block]
    return server_process(*line.split()[2:], CVSERVE_TOKEN=TOKEN)


@pytest.fixture
def proxy(server: ServerProcess, tmp_path: Path) -> Iterator[str]:
    """The proxy's URL of the model; it listens on another loopback address than its clients have."""
    (location,) = blocks("docs/deployment.md", "nginx")
    with socket.socket() as probe:
        probe.bind(("127.0.0.2", 0))
        port = probe.getsockname()[1]
    origin = server.url.removesuffix("/models/digits")
    config = _CONFIG.format(port=port, location=location.replace("http://127.0.0.1:8000", origin))
    (tmp_path / "nginx.conf").write_text(config, encoding="utf-8")
    command = [str(NGINX), "-p", str(tmp_path), "-c", "nginx.conf", "-e", "stderr"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.2:{port}/models/digits"
    finally:
        process.terminate()
        process.wait(timeout=20)


def test_the_log_shows_the_real_client_and_links_lead_through_the_proxy(server: ServerProcess, proxy: str) -> None:
    transport = httpx.HTTPTransport(local_address="127.0.0.3", retries=10)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(transport=transport, headers=headers, timeout=30) as client:
        for _ in range(2):
            answer = client.post(f"{proxy}/predict", files={"file": ("a.png", grey(100))})
            assert answer.status_code == 200
        listed = client.get(f"{proxy}/predict", params={"limit": 1})
        following = client.get(httpx.URL(proxy).join(listed.links["next"]["url"]))
        forged = client.get(f"{proxy}/readyz", headers={"X-Forwarded-For": "203.0.113.9"})
    assert [row["id"] for row in following.json()] == [2]
    assert forged.status_code == 200
    clients = {line.split(" | ")[1] for line in server.log_lines()}
    assert clients == {"127.0.0.3"}
