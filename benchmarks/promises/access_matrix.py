"""Promise 8: every route needs a token, whatever the method, the credentials and the spelling of the path."""

import base64
import itertools

from promises.harness import TOKEN, Outcome, Promise, Target, main, served
from support.raw import RawConnection

PROMISE = Promise(
    8,
    "Every path needs a token with its scope; nothing that is no token opens anything.",
    "paths × methods × credentials × spellings over a raw socket; an answer but 401 or 403 for who may not is wrong",
)
PATHS = ("/predict", "/predict/batch", "/predict/1", "/livez", "/readyz", "/metrics", "/", "/docs", "/openapi.json",
         "/login", "/nothing", "/v2/health/live")  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND")
SPELLINGS = ("{}", "{}/", "/{}", "{}%0a", "{}?token=" + TOKEN, "{};x", "/%2e{}")
_BASIC = base64.b64encode(f"{TOKEN}:x".encode()).decode()
BAD = ("X: y", "Authorization:", "Authorization: Bearer", f"Authorization: Bearer {TOKEN}x",
       f"Authorization: {TOKEN[1:]}",
       f"Authorization: Basic {_BASIC}", f"Cookie: token={TOKEN}", f"Proxy-Authorization: Bearer {TOKEN}",
       "Authorization: Bearer cvs_" + "x" * 47, f"X-API-Key: {TOKEN.upper()}", f"X-Token: {TOKEN}",
       f"Authorization: Digest {TOKEN}", "Authorization: ' OR 1=1 --")  # fmt: skip
GOOD = (f"Authorization: Bearer {TOKEN}", f"authorization: {TOKEN}", f"X-API-Key: {TOKEN}",
        f"Authorization: bearer {TOKEN} ",
        f"Authorization: Basic {base64.b64encode(f'me:{TOKEN}'.encode()).decode()}")  # fmt: skip
SCOPE_OF = {"/predict": "predict", "/predict/1": "predict", "/metrics": "metrics"}


def measure(target: Target) -> Outcome:
    """Ask everything."""
    home = target.home()
    scoped = {scope: target.make_token(home, scope, scope) for scope in ("predict", "metrics", "admin")}
    wrong: list[str] = []
    refused: list[str] = []
    asked = 0
    with served(target, "--workers", "1") as server, RawConnection(server.url) as raw:
        for path, method, spelling, header in itertools.product(PATHS, METHODS, SPELLINGS, BAD):
            status = raw.request(method, spelling.format(path), header).answer(to_head=method == "HEAD").status
            asked += 1
            if status != 401:
                wrong.append(f"{method} {spelling.format(path)} {header}: {status}")
        for header in GOOD:
            if (status := raw.request("GET", "/livez", header).answer().status) != 200:
                refused.append(f"GET /livez {header}: {status}")
        for (path, needed), (scope, secret) in itertools.product(SCOPE_OF.items(), scoped.items()):
            status = raw.request("GET", path, token=secret).answer().status
            if (status == 403) != (scope != needed):
                wrong.append(f"GET {path} with {scope}: {status}")
    figures = {"requests": asked + len(GOOD) + len(SCOPE_OF) * len(scoped)}
    figures |= {"let in wrongly": len(wrong), "refused wrongly": len(refused)}
    return Outcome(figures, not (wrong or refused), "; ".join([*wrong, *refused][:3]).replace(TOKEN, "TOKEN"))


if __name__ == "__main__":
    main(PROMISE, measure)
