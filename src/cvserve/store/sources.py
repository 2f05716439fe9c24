"""The entry points through which predictions come into the history: the values of the column `source`."""

SOURCES = ("http", "cli", "notebook", "oip", "loadtest")
# Shown and counted only when asked for.
HIDDEN_SOURCE = "loadtest"
