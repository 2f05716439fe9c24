"""Memory is given back once, when a load has gone, and never in the middle of one."""

from cvserve.server.byte_budget import ByteBudget
from cvserve.server.memory import MemoryReturn

MIB = 1024**2


def test_memory_is_given_back_when_a_load_has_gone() -> None:
    given_back: list[int] = []
    budget = ByteBudget(256 * MIB)
    memory = MemoryReturn(budget, lambda: given_back.append(1))
    with budget.open_hold(1) as hold:
        hold.grow(64 * MIB)
        memory.tidy()
        assert not given_back
    assert memory.tidy()
    assert len(given_back) == 1
    while memory.tidy():
        pass
    assert len(given_back) == 2  # what lay between has gone as well by now
    with budget.open_hold(1) as hold:
        hold.grow(1 * MIB)
    assert not memory.tidy()
    assert len(given_back) == 2  # a little is not worth it


def test_there_is_a_way_on_this_system() -> None:
    budget = ByteBudget(256 * MIB)
    with budget.open_hold(1) as hold:
        hold.grow(64 * MIB)
    assert MemoryReturn(budget).tidy()
