"""What all connections of a server have in common."""

from cvserve.server.load_shedding import LoadShedder
from cvserve.server.memory import MemoryReturn
from cvserve.server.resources import Resources
from cvserve.server.transport.clock import make_allowances
from cvserve.server.transport.limits import ConnectionLimits
from cvserve.server.transport.refusal import Refusals
from cvserve.server.transport.sweep import Sweep
from cvserve.server.transport.turnstile import Turnstile


class Shared:
    """Made once, and given to each connection.

    Args:
        resources: what the app holds.
        limits: of each connection.

    Attributes:
        budget: of all bytes in flight.
        contexts: makes what is known of each request.
        allowances: how long each state of a connection may last.
        sweep: looks after that.
        refusals: the answers that are not made by the app.
        turnstile: where requests wait when many clients ask.
        shedder: finds those that can be refused at once.
    """

    def __init__(self, resources: Resources, limits: ConnectionLimits) -> None:
        self.budget = resources.budget
        self.contexts = resources.contexts
        self.limits = limits
        self.allowances = make_allowances(limits)
        self.sweep = Sweep(limits.sweep_s, MemoryReturn(resources.budget).tidy)
        self.refusals = Refusals(resources.access_log, resources.metrics)
        self.turnstile = Turnstile()
        self.shedder = LoadShedder(
            resources.authenticator,
            resources.engine,
            resources.rate_limiter,
            resources.host_rule,
            resources.open_paths,
        )
