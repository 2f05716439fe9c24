"""The tables of `cvserve.db` as dated history: small steps that are never edited once released."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

    from cvserve.store.sqlite import sqlite3

MIGRATION_SET = "cvserve"  # the database may hold those of other programs, too
_Step = Callable[["Database"], None]
_STEPS: list[_Step] = []


def _step(function: _Step) -> _Step:
    """Make a function the next step; the database remembers its name."""
    _STEPS.append(function)
    return function


def list_migrations() -> tuple[str, ...]:
    """Name the steps, in order, without loading sqlite-utils: most databases are up to date."""
    return tuple(step.__name__ for step in _STEPS)


def load_migrations() -> Callable[["sqlite3.Connection"], None]:
    """Load sqlite-utils, and give the function that takes the steps which a database has not taken yet.

    Loading is a step of its own, so that no other program waits for a lock meanwhile.

    Returns:
        A function of a connection inside a transaction, so that all steps are taken or none. It raises `sqlite3.Error`
        when a step failed.
    """
    from sqlite_utils import Database, Migrations  # slow to load

    migrations = Migrations(MIGRATION_SET)
    for step in _STEPS:
        migrations()(step)
    return lambda connection: migrations.apply(Database(connection))


@_step
def m001_predictions_models_tokens(db: "Database") -> None:
    """The first release."""
    db.table("models").create(
        {"id": int, "name": str, "version": str, "sha256": str, "format": str, "created_at": str},
        pk="id",
        not_null={"name", "version", "sha256", "format", "created_at"},
    )
    db.table("models").create_index(["name", "sha256"], unique=True)
    db.table("tokens").create(
        {
            "id": int,
            "name": str,
            "prefix": str,
            "digest": str,
            "scopes": str,
            "created_at": str,
            "expires_at": str,
            "revoked_at": str,
        },
        pk="id",
        not_null={"name", "scopes", "created_at"},
    )
    db.table("tokens").create_index(["digest"], unique=True)
    # Predictions are counted here, one upsert a commit, so that no page of the history has to count rows.
    db.table("token_usage").create(
        {"token_id": int, "predictions": int, "last_used_at": str},
        pk="token_id",
        not_null={"predictions", "last_used_at"},
    )
    _create_predictions(db)


@_step
def m002_loadtests(db: "Database") -> None:
    """Runs of `cvserve loadtest`; times are milliseconds, `report` is JSON."""
    db.table("loadtests").create(
        {
            "id": int,
            "created_at": str,
            "target": str,
            "mode": str,
            "is_partial": int,
            "requests": int,
            "failures": int,
            "rps": float,
            "p50_ms": float,
            "p95_ms": float,
            "p99_ms": float,
            "capacity_rps": float,
            "knee_users": int,
            "limited_by": str,
            "report": str,
        },
        pk="id",
        not_null={"created_at", "target", "mode", "is_partial", "requests", "failures", "report"},
    )


@_step
def m003_clock_steps(db: "Database") -> None:
    """Where the clock was set back: ids of rows whose time is before that of the row in front of them."""
    db.table("clock_steps").create({"first_id": int}, pk="first_id")
    db.execute(
        """
        INSERT INTO clock_steps (first_id)
        SELECT id FROM (SELECT id, created_at, lag(created_at) OVER (ORDER BY id) AS earlier FROM predictions)
        WHERE created_at < earlier
        """
    )


@_step
def m004_device(db: "Database") -> None:
    """On which device the model computed; of the rows before that, nobody knows."""
    db.execute("ALTER TABLE predictions ADD COLUMN device TEXT")


def _create_predictions(db: "Database") -> None:
    # AUTOINCREMENT: an id that somebody was given never names another prediction later.
    db.execute(
        """
        CREATE TABLE predictions (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            result INTEGER NOT NULL,
            label TEXT NOT NULL,
            score REAL NOT NULL,
            top TEXT NOT NULL,
            warning TEXT,
            model_id INTEGER NOT NULL REFERENCES models(id),
            created_at TEXT NOT NULL,
            decode_ms REAL,
            queue_ms REAL,
            infer_ms REAL,
            source TEXT NOT NULL,
            token_id INTEGER REFERENCES tokens(id),
            request_id TEXT,
            client TEXT,
            file_name TEXT,
            image_sha256 TEXT,
            image_bytes INTEGER,
            width INTEGER,
            height INTEGER,
            format TEXT
        )
        """
    )
    # An index entry ends in the rowid, which is the id: these three are (label, id), (token_id, id), (model_id, id).
    db.table("predictions").create_index(["label"])
    db.table("predictions").create_index(["token_id"])
    db.table("predictions").create_index(["model_id"])
