"""The first answer of a model that is being loaded: waited for, but not for ever.

A file may hold a loop of 2⁶² turns, and compiled code cannot be interrupted. So the model answers on a thread of its
own: whoever waits can give up, and Ctrl-C works.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TypeVar

from cvserve.predictor.models.fault import ModelFault

# Whoever calls from Python has no setting to raise, and Ctrl-C.
DEFAULT_LIMIT_S = 600.0
_SAY_AFTER_S = 5.0
_THREAD_ENDS_WITHIN_S = 1.0
_limit_s: ContextVar[float] = ContextVar("trial_limit_s", default=DEFAULT_LIMIT_S)
_give_up: ContextVar[list[Callable[[], None]] | None] = ContextVar("trial_give_up", default=None)
# When the trial that this is part of has begun, by `time.monotonic()`.
_begun_s: ContextVar[float | None] = ContextVar("trial_begun_s", default=None)
_Answer = TypeVar("_Answer")


@contextmanager
def limit_trials(limit_s: float) -> Iterator[None]:
    """Let no trial in the block take longer.

    Args:
        limit_s: seconds that a model has for its first answer.
    """
    token = _limit_s.set(limit_s)
    try:
        yield
    finally:
        _limit_s.reset(token)


def when_given_up(stop: Callable[[], None]) -> None:
    """Have something called when the trial that this is part of takes too long; outside of one, never.

    Args:
        stop: makes the model leave off; from another thread, and only if it can.
    """
    stops = _give_up.get()
    if stops is not None:
        stops.append(stop)


def remaining_s() -> tuple[float, float]:
    """Seconds that the trial that this is part of has taken, and that are left of it; outside of one, none and all."""
    begun_s = _begun_s.get()
    if begun_s is None:
        return 0.0, _limit_s.get()
    spent_s = time.monotonic() - begun_s
    return spent_s, _limit_s.get() - spent_s


def run_trial(ask: Callable[[], _Answer]) -> _Answer:
    """What the model answers; after some seconds the log says that it is waited for.

    Args:
        ask: asks it about one picture.

    Raises:
        ModelFault: it did not answer in time. What cannot be stopped goes on, on a thread that keeps no process alive.
        Exception: whatever `ask` raises.
    """
    outcome: Future[_Answer] = Future()
    limit_s = _limit_s.get()
    stops: list[Callable[[], None]] = []
    context = copy_context()
    context.run(_give_up.set, stops)
    context.run(_begun_s.set, time.monotonic())
    thread = threading.Thread(target=context.run, args=(_fill, outcome, ask), name="cvserve-trial", daemon=True)
    thread.start()
    thread.join(min(limit_s, _SAY_AFTER_S))
    if thread.is_alive() and limit_s > _SAY_AFTER_S:
        text = "the model has not yet answered about its first pictures; it has %.0f s"
        logging.getLogger("cvserve").warning(text, limit_s)
        thread.join(limit_s - _SAY_AFTER_S)
    if thread.is_alive():
        for stop in stops:
            stop()
        thread.join(_THREAD_ENDS_WITHIN_S)  # else compiled code may trip over the end of the process
        raise ModelFault(
            f"gave no answer about one grey picture within {limit_s:.0f} s, so it is damaged, forged, or too slow for "
            "this machine; if it needs more, raise predict_timeout: twice as long is waited for."
        )
    _await_end(thread)
    return outcome.result()


def _fill(outcome: Future[_Answer], ask: Callable[[], _Answer]) -> None:
    try:
        outcome.set_result(ask())
    except BaseException as error:  # raised again where it is waited for
        outcome.set_exception(error)


def _await_end(thread: threading.Thread) -> None:
    """Wait until the kernel has forgotten the thread: Python is done a moment earlier, and a fork wants no other."""
    task = f"/proc/self/task/{thread.native_id}"
    end = time.monotonic() + _THREAD_ENDS_WITHIN_S
    while os.path.exists(task) and time.monotonic() < end:
        time.sleep(0.0005)
