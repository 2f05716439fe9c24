"""What all connections of a server have in common."""

from cvserve.logs.access import AccessLog
from cvserve.server.byte_budget import ByteBudget
from cvserve.server.memory import MemoryReturn
from cvserve.server.metrics import Metrics
from cvserve.server.transport.clock import make_allowances
from cvserve.server.transport.limits import ConnectionLimits
from cvserve.server.transport.refusal import Refusals
from cvserve.server.transport.sweep import Sweep
from cvserve.server.transport.turnstile import Turnstile


class Shared:
    """Made once, and given to each connection.

    Args:
        access_log, metrics: log and count the answers that are not made by the app.
        budget: of all bytes in flight.
        limits: of each connection.

    Attributes:
        allowances: how long each state of a connection may last.
        sweep: looks after that.
        refusals: the answers.
        turnstile: where requests wait when many clients ask.
    """

    def __init__(self, access_log: AccessLog, metrics: Metrics, budget: ByteBudget, limits: ConnectionLimits) -> None:
        self.budget = budget
        self.limits = limits
        self.allowances = make_allowances(limits)
        self.sweep = Sweep(limits.sweep_s, MemoryReturn(budget).tidy)
        self.refusals = Refusals(access_log, metrics)
        self.turnstile = Turnstile()
