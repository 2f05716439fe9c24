"""Names of tables, columns and migrations, readable without loading sqlite-utils (a tenth of a second)."""

MIGRATION_SET = "cvserve"
# A test compares this list with `migrations.py`.
MIGRATIONS = ("m001_predictions_models_tokens", "m002_loadtests")

PREDICTION_COLUMNS = (
    "result",
    "label",
    "score",
    "top",
    "warning",
    "model_id",
    "created_at",
    "decode_ms",
    "queue_ms",
    "infer_ms",
    "source",
    "token_id",
    "request_id",
    "client",
    "file_name",
    "image_sha256",
    "image_bytes",
    "width",
    "height",
    "format",
)
SOURCES = ("http", "cli", "notebook", "oip", "loadtest")
# Shown and counted only when asked for.
HIDDEN_SOURCE = "loadtest"
