"""BentoML as its documentation has it: a service with one synchronous endpoint, middleware for token and log."""

import sys
from pathlib import Path
from typing import Annotated, Any

import bentoml
import common
from bentoml.validators import ContentType


class Token:
    """ASGI middleware: 401 unless the token is ours; probes of BentoML itself pass."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on or refuse it."""
        if scope["type"] == "http" and scope["path"] == "/predict":
            header = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
            if not common.authorized(header):
                await send({"type": "http.response.start", "status": 401, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
        await self._app(scope, receive, send)


@bentoml.service(workers=common.WORKERS, logging={"access": {"enabled": False}}, traffic={"timeout": 60})
class Digits:
    """One picture in, one row of the history out."""

    def __init__(self) -> None:
        self.model = common.load_model()
        self.history = common.History()

    @bentoml.api
    def predict(self, file: Annotated[Path, ContentType("image/jpeg")]) -> dict[str, Any]:
        """One picture."""
        scores = self.model.predict_proba([common.features(file.read_bytes())])[0]
        return self.history.add([common.answer(scores)])[0]


Digits.add_asgi_middleware(Token)
Digits.add_asgi_middleware(common.AccessLog)

if __name__ == "__main__":
    from bentoml_cli.cli import cli

    sys.exit(cli(["serve", "bentoml_server:Digits", "--host", "127.0.0.1", "--port", str(common.PORT)]))
