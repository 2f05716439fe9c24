"""FastAPI + SQLModel as their tutorials have it: plain endpoint, SQLAlchemy's defaults, a dependency for the token."""

import os
import sys
import time
from typing import Annotated, Any

import common
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, UploadFile
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import JSON, Column
from sqlmodel import Field, Session, SQLModel, create_engine


class Prediction(SQLModel, table=True):
    """A row of the history."""

    __tablename__ = "predictions"

    id: int | None = Field(default=None, primary_key=True)
    result: int
    score: float
    scores: list[float] = Field(sa_column=Column(JSON))
    created_at: float = Field(default_factory=time.time)


# The one thing beside the defaults: wait for the lock longer than 5 s, so that no request fails under load.
engine = create_engine("sqlite:///history.db", connect_args={"timeout": 30})
SQLModel.metadata.create_all(engine)
app = FastAPI()
app.add_middleware(common.AccessLog)
model = common.load_model()
bearer = HTTPBearer()


def checked(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> None:
    """401 unless the token is ours."""
    if not common.authorized(f"Bearer {credentials.credentials}"):
        raise HTTPException(401)


@app.post("/predict", dependencies=[Depends(checked)])
def predict(file: UploadFile) -> dict[str, Any]:
    """One picture.

    The session is the endpoint's own: as a dependency with `yield` it keeps its connection until the answer is made,
    which needs a thread, and with 15 connections for 40 threads all of them wait for each other.
    """
    scores = model.predict_proba([common.features(file.file.read())])[0]
    row = Prediction(**common.answer(scores))
    with Session(engine) as session:
        session.add(row)
        session.commit()
        session.refresh(row)
        return row.model_dump()


if __name__ == "__main__":
    if common.WORKERS > 1:  # as from a shell: workers would import this file twice, and its table with it
        options = ["--port", str(common.PORT), "--workers", str(common.WORKERS), "--no-access-log"]
        os.execv(sys.executable, [sys.executable, "-m", "uvicorn", "fastapi_sqlmodel:app", *options])
    uvicorn.run(app, host="127.0.0.1", port=common.PORT, access_log=False)
