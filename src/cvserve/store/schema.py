"""Names of migrations and of sources, readable without loading sqlite-utils (a tenth of a second)."""

MIGRATION_SET = "cvserve"
# A test compares this list with `migrations.py`.
MIGRATIONS = ("m001_predictions_models_tokens", "m002_loadtests")

SOURCES = ("http", "cli", "notebook", "oip", "loadtest")
# Shown and counted only when asked for.
HIDDEN_SOURCE = "loadtest"
