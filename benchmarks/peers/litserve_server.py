"""LitServe as its documentation has it; BATCH > 1 switches its batching on."""

from typing import Annotated, Any

import common
import litserve
import numpy as np
from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer


class Digits(litserve.LitAPI):
    """One picture in, one row of the history out."""

    def setup(self, device: str) -> None:
        """Load the model and open the history, in the worker."""
        self.model = common.load_model()
        self.history = common.History()

    def authorize(self, credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> None:
        """401 unless the token is ours."""
        if not common.authorized(f"Bearer {credentials.credentials}"):
            raise HTTPException(401)

    def decode_request(self, request: Request) -> Any:
        """The picture as features."""
        return common.features(request["file"].file.read())

    def batch(self, inputs: list[Any]) -> Any:
        """All that wait, as one array."""
        return np.stack(inputs)

    def predict(self, x: Any) -> Any:
        """One call and one transaction for a batch, or for one."""
        scores = self.model.predict_proba(np.atleast_2d(x))
        answers = self.history.add([common.answer(row) for row in scores])
        return answers if x.ndim == 2 else answers[0]

    def unbatch(self, output: Any) -> Any:
        """A list already."""
        return output

    def encode_response(self, output: Any) -> Any:
        """A dict already."""
        return output


if __name__ == "__main__":
    batching = {"max_batch_size": common.BATCH, "batch_timeout": common.BATCH_WAIT_MS / 1000}
    api = Digits(**(batching if common.BATCH > 1 else {}))
    server = litserve.LitServer(
        api, accelerator="cpu", workers_per_device=common.WORKERS, middlewares=[common.AccessLog]
    )
    server.run(host="127.0.0.1", port=common.PORT, log_level="warning", access_log=False, generate_client_file=False)
