"""What every peer shares: settings from the environment, decode, model, history and access log.

Each peer runs in a folder of its own and writes `history.db` and `access.log` there.
"""

import hmac
import io
import json
import logging
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import simplejpeg
from PIL import Image

PORT = int(os.environ.get("PORT", "8000"))
WORKERS = int(os.environ.get("WORKERS", "1"))
BATCH = int(os.environ.get("BATCH", "1"))
BATCH_WAIT_MS = 10  # what the documentation of the batching servers shows
TOKEN = os.environ.get("TOKEN", "")
OUR_DECODER = os.environ.get("DECODER") == "simplejpeg"
SCALE = 16 / 255
SCHEMA = """CREATE TABLE IF NOT EXISTS predictions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, result INTEGER NOT NULL, score REAL NOT NULL, scores TEXT NOT NULL,
    created_at REAL NOT NULL)"""


def features(data: bytes) -> "np.ndarray[Any, Any]":
    """64 values, 0…16, of a picture in a file's bytes."""
    image = _reduced(data) if OUR_DECODER else Image.open(io.BytesIO(data)).convert("L")
    return np.asarray(image.resize((8, 8), Image.Resampling.BILINEAR), np.float32).ravel() * SCALE


def _reduced(data: bytes) -> Image.Image:
    """Grey, at the smallest of 1/8, 1/4, 1/2 that leaves 32 × 32 pixels or more."""
    height, width = simplejpeg.decode_jpeg_header(data)[:2]
    short = min(height, width)
    factor = next((by for by in (8, 4, 2) if short // by >= 32), 1)
    small = simplejpeg.decode_jpeg(data, "GRAY", min_height=height // factor, min_width=width // factor, min_factor=1)
    return Image.fromarray(small[:, :, 0])


def load_model() -> Any:
    """The fitted pipeline of the file that MODEL names."""
    return joblib.load(os.environ["MODEL"])


def answer(scores: "np.ndarray[Any, Any]") -> dict[str, Any]:
    """What is stored and answered of one row of `predict_proba`."""
    best = int(scores.argmax())
    return {"result": best, "score": round(float(scores[best]), 6), "scores": [round(float(s), 6) for s in scores]}


def authorized(header: str) -> bool:
    """Whether `Authorization` holds our token."""
    return hmac.compare_digest(header, f"Bearer {TOKEN}")


class History:
    """SQLite in WAL mode, synchronous NORMAL; one transaction for all that is given at once."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("history.db", isolation_level=None, check_same_thread=False, timeout=30)
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", SCHEMA):
            self._connection.execute(statement)

    def add(self, answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The answers with their ids, committed."""
        now = time.time()
        self._connection.execute("BEGIN IMMEDIATE")
        for each in answers:
            row = (each["result"], each["score"], json.dumps(each["scores"]), now)
            sql = "INSERT INTO predictions (result, score, scores, created_at) VALUES (?, ?, ?, ?)"
            each["id"] = self._connection.execute(sql, row).lastrowid
        self._connection.execute("COMMIT")
        return answers


def access_logger() -> logging.Logger:
    """A logger to `access.log` of the standard library, as most people have it."""
    logger = logging.getLogger("access")
    if not logger.handlers:
        handler = logging.FileHandler(Path("access.log").resolve())
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    return logger


class AccessLog:
    """ASGI middleware: one line for every answer."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._logger = access_logger()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on and log what came of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def noted(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        await self._app(scope, receive, noted)
        took_ms = (time.perf_counter() - started) * 1000
        client = (scope.get("client") or ("-",))[0]
        self._logger.info("%s %s %s %d %.1fms", client, scope["method"], scope["path"], status, took_ms)
