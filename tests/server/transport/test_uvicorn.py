"""What we override and call of uvicorn, by name: a release that changes any of it is told here, and not by a client.

Most of it is not promised by uvicorn. Where this test fails, read what has changed, mend `server/transport/` or
`server/server.py`, and then the tables below.
"""

import inspect
import re
from importlib.metadata import version

import pytest
import uvicorn
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from cvserve.server.server import Server
from cvserve.server.transport.connection import Connection
from cvserve.server.transport.cycle import Cycle
from cvserve.server.transport.protocol import HttpProtocol

# Each method with its parameters.
METHODS: dict[type, dict[str, str]] = {
    HttpToolsProtocol: {
        "__init__": "config server_state app_state _loop",
        "connection_made": "transport",
        "connection_lost": "exc",
        "data_received": "data",
        "on_message_begin": "",
        "on_url": "url",
        "on_header": "name value",
        "on_headers_complete": "",
        "on_body": "body",
        "on_message_complete": "",
        "on_response_complete": "",
        "_start_asgi_task": "cycle app",
        "pause_writing": "",
        "resume_writing": "",
        "shutdown": "",
    },
    RequestResponseCycle: {
        "__init__": "scope transport flow logger access_logger access_log default_headers message_event"
        " expect_100_continue keep_alive on_response",
        "run_asgi": "app",
        "receive": "",
        "send": "message",
    },
    FlowControl: {"pause_reading": "", "resume_reading": "", "pause_writing": "", "resume_writing": "", "drain": ""},
    uvicorn.Server: {
        "__init__": "config",
        "run": "sockets",
        "serve": "sockets",
        "_serve": "sockets",
        "startup": "sockets",
        "main_loop": "",
        "on_tick": "counter",
        "shutdown": "sockets",
        "_wait_tasks_to_complete": "",
        "capture_signals": "",
        "handle_exit": "sig frame",
    },
}
ATTRIBUTES = {
    HttpToolsProtocol: "config app loop logger access_logger parser tasks connections server_state root_path flow"
    " transport client scope headers expect_100_continue cycle pipeline app_state",
    RequestResponseCycle: "scope transport flow message_event on_response disconnected keep_alive more_body"
    " waiting_for_100_continue response_started response_complete",
    FlowControl: "read_paused write_paused",
    ServerState: "total_requests connections tasks default_headers",
    uvicorn.Server: "config server_state started should_exit force_exit",
    uvicorn.Config: "http_protocol_class ssl timeout_graceful_shutdown",
}
OURS = {HttpToolsProtocol: (Connection, HttpProtocol), RequestResponseCycle: (Cycle,), uvicorn.Server: (Server,)}


def list_parameters(theirs: type, name: str) -> str | None:
    """Names of a method's parameters; None where there is no such method."""
    method = getattr(theirs, name, None)
    return None if method is None else " ".join([*inspect.signature(method).parameters][1:])


def has_attribute(theirs: type, name: str) -> bool:
    """Whether a class gives its objects an attribute: as one of its own, or in one of its methods."""
    if hasattr(theirs, name) or name in getattr(theirs, "__dataclass_fields__", {}):
        return True
    return re.search(rf"self\.{name}(:.*)? = ", inspect.getsource(theirs)) is not None


def test_what_is_used_of_uvicorn_is_there_and_takes_what_it_took() -> None:
    changed = [
        f"{theirs.__name__}.{name}({parameters}) is now ({found})"
        if found is not None
        else f"{theirs.__name__}.{name} is gone"
        for theirs, methods in METHODS.items()
        for name, parameters in methods.items()
        if (found := list_parameters(theirs, name)) != parameters
    ]
    changed += [
        f"{theirs.__name__}.{name} is gone"
        for theirs, names in ATTRIBUTES.items()
        for name in names.split()
        if not has_attribute(theirs, name)
    ]
    changed += [] if STATUS_LINE[503] == b"HTTP/1.1 503 Service Unavailable\r\n" else ["STATUS_LINE"]
    changed += [] if isinstance(HIGH_WATER_LIMIT, int) else ["HIGH_WATER_LIMIT"]
    assert not changed, f"uvicorn {version('uvicorn')} has changed what we use of it: {'; '.join(changed)}"


@pytest.mark.parametrize("theirs", OURS, ids=lambda theirs: theirs.__name__)
def test_nothing_of_uvicorn_is_overridden_that_is_not_in_the_table(theirs: type) -> None:
    """Also by accident: a new release may bring a method with the name of one of ours."""
    overridden = {
        name
        for ours in OURS[theirs]
        for name, value in vars(ours).items()
        if callable(value) and hasattr(theirs, name) and not hasattr(object, name)
    }
    assert overridden <= set(METHODS[theirs])
