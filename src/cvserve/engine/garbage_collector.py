"""Python's garbage collector, tuned for a process that serves."""

import gc

# What 64 requests hold alive at once is some thousand objects. At Python's own 700 they are searched several times
# in each turn of the event loop, and all of them are still needed.
_NEW_OBJECTS = 5_000


def tune() -> None:
    """Never search what is loaded now, and search new objects more rarely; to be called once, when all is warm.

    For a process that cvserve owns: an app that mounts cvserve decides for itself.
    """
    gc.collect()
    gc.freeze()  # model and libraries live as long as the process: a full collection need not walk over them
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
