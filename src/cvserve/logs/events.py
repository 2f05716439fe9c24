"""The server's own events on stderr, by loguru."""

import logging
import sys

from loguru import logger

_EVENT_FORMAT = "<dim>{time:YYYY-MM-DD HH:mm:ss}</dim> <level>{level: <7}</level> {message}"


def configure_events() -> None:
    """Print the server's own events, uvicorn's included, on stderr; for a process that runs nothing but cvserve."""
    logger.remove()
    logger.add(sys.stderr, format=_EVENT_FORMAT, level="INFO", backtrace=False, diagnose=False)
    logging.basicConfig(handlers=[_ToLoguru()], level=logging.WARNING, force=True)


class _ToLoguru(logging.Handler):
    """A handler of the standard library's logging that passes records on to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        logger.opt(exception=record.exc_info).log(record.levelname, "{}", record.getMessage())
