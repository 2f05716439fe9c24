"""Mosec as its documentation has it; BATCH > 1 switches its batching on.

A worker of Mosec gets the body and no headers, so the token comes as a field of the form.
"""

import hmac
import sys
import time
from typing import Any

import common
from mosec import Server, ValidationError, Worker
from python_multipart.multipart import MultipartParser


def fields(body: bytes) -> list[bytes]:
    """Contents of the parts of a multipart body; its first line is the boundary."""
    found: list[bytearray] = []
    parser = MultipartParser(
        body[2 : body.index(b"\r\n")],
        {
            "on_part_begin": lambda: found.append(bytearray()),
            "on_part_data": lambda data, start, end: found[-1].extend(data[start:end]),
        },
    )
    parser.write(body)
    return [bytes(part) for part in found]


class Digits(Worker):
    """One picture in, one row of the history out."""

    def __init__(self) -> None:
        self.model = common.load_model()
        self.history = common.History()
        self.logger = common.access_logger()

    def deserialize(self, data: bytes) -> Any:
        """The picture as features; 422 unless the token is ours."""
        started = time.perf_counter()
        token, picture = fields(data) if data.count(b"name=") >= 2 else (b"", b"")
        if not hmac.compare_digest(token, common.TOKEN.encode()):
            raise ValidationError("token")
        return started, common.features(picture)

    def forward(self, data: Any) -> Any:
        """One call and one transaction for a batch, or for one."""
        rows = data if common.BATCH > 1 else [data]
        answers = self.history.add([common.answer(row) for row in self.model.predict_proba([row[1] for row in rows])])
        for started, _ in rows:
            self.logger.info("POST /predict 200 %.1fms", (time.perf_counter() - started) * 1000)
        return answers if common.BATCH > 1 else answers[0]


if __name__ == "__main__":
    sys.argv[1:] = [
        "--port",
        str(common.PORT),
        "--address",
        "127.0.0.1",
        "--timeout",
        "30000",
        "--log-level",
        "warning",
    ]
    server = Server()
    server.append_worker(
        Digits, num=common.WORKERS, max_batch_size=common.BATCH, max_wait_time=common.BATCH_WAIT_MS, route="/predict"
    )
    server.run()
