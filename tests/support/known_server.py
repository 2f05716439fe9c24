"""A real server in a process of its own, with a model whose capacity is known beforehand.

python -m support.known_server HOME PICTURE_MS [BATCH_MS]    with one worker; the token comes from CVSERVE_TOKEN
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from support.command import MEASURED_BY

TOKEN = "a-token-of-the-known-server"
_URL = re.compile(r"http://\S+")
_TESTS = Path(__file__).parent.parent


class KnownServer:
    """Started when made; answers when the constructor returns.

    Args:
        home: of its history and log.
        picture_ms, batch_ms: what the model takes for each picture and for each batch.
    """

    def __init__(self, home: Path, picture_ms: float, batch_ms: float = 0.0) -> None:
        self.home = home
        command = [sys.executable, "-m", "support.known_server", str(home), str(picture_ms), str(batch_ms)]
        environment = {name: value for name, value in os.environ.items() if name not in MEASURED_BY}
        environment |= {"CVSERVE_TOKEN": TOKEN, "PYTHONPATH": str(_TESTS)}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        found = _URL.search(self.process.stdout.readline())
        assert found, "the server did not start"
        self.url = found[0]

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> None:
        """End it and wait. May be called twice."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        self.process.wait(timeout=40)
        assert self.process.stdout
        self.process.stdout.close()


def main() -> None:
    """Serve until a signal."""
    from cvserve.engine.process_pool import ProcessPool
    from cvserve.server.run import run_server
    from cvserve.settings import Settings
    from support.engines import order

    home, picture_ms, batch_ms = sys.argv[1:]
    workers = ProcessPool(order("Paced", picture_ms=float(picture_ms), batch_ms=float(batch_ms)), 1)
    settings = Settings(home=Path(home), port=0, token=os.environ["CVSERVE_TOKEN"], max_queue=64)
    run_server(settings, workers, lambda url, _resources: print(url, flush=True))


if __name__ == "__main__":
    main()
