"""The queue: bounded, all or none, fair to its owners, and shared out so that batches form by themselves."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvserve.engine.admission import MAX_BATCH_BYTES, AdmissionQueue
from cvserve.errors import NotReady, Overloaded


@dataclass
class Job:
    name: int
    size_bytes: int = 1
    runs_alone: bool = False
    is_heavy: bool = False
    wanted: bool = True
    owner: str = ""

    def is_wanted(self) -> bool:
        return self.wanted


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def queue_of(*jobs: Job, max_jobs: int = 100, max_batch: int = 64) -> AdmissionQueue[Job]:
    queue: AdmissionQueue[Job] = AdmissionQueue(max_jobs, max_batch)
    queue.put(jobs)
    return queue


def jobs_of(owner: str, *numbers: int) -> list[Job]:
    return [Job(number, owner=owner) for number in numbers]


def names(batch: list[Job]) -> list[int]:
    return [job.name for job in batch]


def test_lone_worker_takes_all_that_waits_in_order() -> None:
    assert names(queue_of(*map(Job, range(10))).take(1)) == list(range(10))


def test_batch_has_a_largest_size() -> None:
    queue = queue_of(*map(Job, range(10)), max_batch=4)
    assert [names(queue.take(1)) for _ in range(3)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_batch_is_smaller_when_pictures_are_known_to_be_slow() -> None:
    queue = queue_of(*map(Job, range(5)))
    assert [names(queue.take(1, most)) for most in (2, 1, None)] == [[0, 1], [2], [3, 4]]


def test_batch_has_a_largest_size_in_bytes_but_never_none() -> None:
    half = MAX_BATCH_BYTES // 2
    queue = queue_of(Job(0, half), Job(1, half), Job(2, 1), Job(3, 3 * half), Job(4))
    assert [names(queue.take(1)) for _ in range(4)] == [[0, 1], [2], [3], [4]]


@pytest.mark.parametrize(("workers", "jobs"), [(2, 9), (3, 9), (4, 2), (8, 64)])
def test_free_workers_share_what_waits(workers: int, jobs: int) -> None:
    queue = queue_of(*map(Job, range(jobs)))
    sizes = [len(queue.take(free)) for free in range(workers, 0, -1)]
    assert sum(sizes) == jobs
    assert max(sizes) == -(-jobs // workers)


def test_jobs_are_admitted_all_or_none() -> None:
    queue = queue_of(Job(0), Job(1), max_jobs=4)
    with pytest.raises(Overloaded):
        queue.put([Job(2), Job(3), Job(4)])
    assert len(queue) == 2
    queue.put([Job(2), Job(3)])
    with pytest.raises(Overloaded):
        queue.put([Job(4)])


def test_job_that_nobody_wants_is_never_handed_out() -> None:
    queue = queue_of(*[Job(number, wanted=number % 2 == 1) for number in range(4)])
    assert names(queue.take(1)) == [1, 3]
    assert len(queue) == 0


def test_jobs_of_a_lost_worker_come_first_and_one_by_one() -> None:
    queue = queue_of(Job(5), Job(6), max_jobs=2)
    queue.put_back([Job(1, runs_alone=True), Job(2, runs_alone=True)])
    assert len(queue) == 4
    assert [names(queue.take(1)) for _ in range(3)] == [[1], [2], [5, 6]]


def test_job_that_runs_alone_ends_the_batch_before_it() -> None:
    queue = queue_of(Job(1), Job(2, runs_alone=True), Job(3))
    assert [names(queue.take(1)) for _ in range(3)] == [[1], [2], [3]]


def test_closed_queue_admits_nothing_and_gives_out_the_rest() -> None:
    queue = queue_of(Job(0))
    queue.close()
    with pytest.raises(NotReady):
        queue.put([Job(1)])
    assert names(queue.take(1)) == [0]
    assert queue.take(1) == []


def test_owners_are_served_in_turn_and_each_in_its_own_order() -> None:
    queue = queue_of(*jobs_of("a", 0, 1, 2, 3))
    queue.put(jobs_of("b", 10, 11))
    queue.put(jobs_of("c", 20))
    assert [names(queue.take(1, 1)) for _ in range(7)] == [[0], [10], [20], [1], [11], [2], [3]]


def test_batch_has_no_more_of_one_owner_than_of_another_unless_it_is_quick() -> None:
    queue = queue_of(*jobs_of("hog", *range(50)))
    queue.put(jobs_of("small", 100))
    assert names(queue.take(1)) == [0, 100]
    queue.put(jobs_of("small", 101, 102))
    assert names(queue.take(1, None, 0.0007)) == [1, 101, 2, 102, 3, 4, 5]


def test_owner_that_waits_alone_gets_a_part_of_a_batch_while_others_come_and_go() -> None:
    clock = Clock()
    queue: AdmissionQueue[Job] = AdmissionQueue(1_000, 40, clock)
    queue.put(jobs_of("hog", *range(300)))
    assert len(queue.take(1)) == 40
    queue.put(jobs_of("small", 0))
    assert len(queue.take(1)) == 2
    assert len(queue.take(1)) == 10
    assert len(queue.take(1, None, 0.004)) == 25  # done in a tenth of a second
    clock.now += 1
    assert len(queue.take(1)) == 10
    clock.now += 1
    assert len(queue.take(1)) == 40  # the other one has gone


def test_jobs_of_a_lost_worker_wait_for_the_turn_of_their_owner() -> None:
    queue = queue_of(*jobs_of("other", 10, 11))
    queue.put_back([Job(number, runs_alone=True, owner="poisoner") for number in (0, 1)])
    assert [names(queue.take(1)) for _ in range(4)] == [[10], [0], [11], [1]]


def test_who_has_little_is_let_into_a_full_queue_and_the_newest_of_who_has_most_give_way() -> None:
    queue = queue_of(*jobs_of("hog", 0, 1, 2), max_jobs=6)
    queue.put(jobs_of("hog", 3))
    queue.put(jobs_of("other", 10, 11))
    assert names(queue.put(jobs_of("small", 20))) == [3]
    assert names(queue.put(jobs_of("small", 21))) == [0, 1, 2]  # admitted whole, so it goes whole
    with pytest.raises(Overloaded):
        queue.put(jobs_of("small", 22, 23, 24))  # it would have more than its share
    assert len(queue) == 4


def test_nobody_gives_way_to_who_has_its_share_already() -> None:
    queue = queue_of(*jobs_of("a", 0, 1), max_jobs=4)
    queue.put(jobs_of("b", 10))
    queue.put(jobs_of("b", 11))
    for owner in "ab":
        with pytest.raises(Overloaded):
            queue.put(jobs_of(owner, 2))
    assert len(queue) == 4


def test_request_that_a_worker_has_begun_never_gives_way() -> None:
    queue = queue_of(*jobs_of("hog", *range(6)), max_jobs=4 + 2)
    assert names(queue.take(1, 1)) == [0]
    queue.put(jobs_of("hog", 6))
    with pytest.raises(Overloaded):
        queue.put(jobs_of("small", 10, 11))
    assert len(queue) == 6  # and what could have given way, but was not enough, is still there
    assert names(queue.put(jobs_of("small", 10))) == [6]


@dataclass
class Model:
    """What the queue should do, told by what went in and what came out of it."""

    queue: AdmissionQueue[Job]
    numbers: "count[int]" = field(default_factory=count)
    admitted: dict[int, Job] = field(default_factory=dict)
    requests: list[list[int]] = field(default_factory=list)
    ended: "Counter[int]" = field(default_factory=Counter)
    gave_way: set[int] = field(default_factory=set)
    begun: set[int] = field(default_factory=set)
    held: list[Job] = field(default_factory=list)

    def put(self, owner: str, jobs: int) -> None:
        new = [Job(next(self.numbers), owner=owner) for _ in range(jobs)]
        try:
            evicted = self.queue.put(new)
        except Overloaded:
            return
        self.admitted |= {job.name: job for job in new}
        self.requests.append([job.name for job in new])
        for job in evicted:
            assert job.name not in self.begun
            assert job.owner != owner
            self.gave_way.add(job.name)
            self.ended[job.name] += 1

    def take(self, free_workers: int, limit: int) -> None:
        last: dict[str, int] = {}
        batch = self.queue.take(free_workers, limit)
        for job in batch:
            self.begun.add(job.name)
            if not job.runs_alone:
                assert last.get(job.owner, -1) < job.name
                last[job.owner] = job.name
        assert len(batch) == 1 or not any(job.runs_alone for job in batch)
        self.held = batch

    def end(self, *, lost: bool) -> None:
        if lost:
            for job in self.held:
                job.runs_alone = True
            self.queue.put_back(self.held)
        else:
            self.ended.update(job.name for job in self.held)
        self.held = []

    def drain(self) -> None:
        while len(self.queue):
            self.take(1, 8)
            self.end(lost=False)


_OWNERS = st.sampled_from("abc")
_STEPS = st.one_of(
    st.tuples(st.just("put"), _OWNERS, st.integers(1, 5)),
    st.tuples(st.just("take"), st.integers(1, 3), st.integers(1, 8), st.booleans()),
)


@given(st.lists(_STEPS, max_size=60))
def test_whatever_happens_no_job_is_lost_none_comes_twice_and_requests_give_way_whole(
    steps: list[tuple[object, ...]],
) -> None:
    model = Model(queue_of(max_jobs=12, max_batch=6))
    for step in steps:
        match step:
            case ("put", str(owner), int(jobs)):
                model.put(owner, jobs)
            case ("take", int(free_workers), int(limit), bool(lost)):
                model.take(free_workers, limit)
                model.end(lost=lost)
        assert len(model.queue) <= 12 + 6
    model.drain()
    assert model.ended == Counter(dict.fromkeys(model.admitted, 1))
    assert len(model.queue) == 0
    for request in model.requests:
        assert set(request) <= model.gave_way or not set(request) & model.gave_way


@given(st.lists(st.tuples(_OWNERS, st.integers(1, 20)), min_size=1, max_size=20), st.integers(1, 8))
def test_while_several_wait_nobody_gets_more_than_one_picture_ahead(puts: list[tuple[str, int]], limit: int) -> None:
    queue = queue_of(max_jobs=1_000)
    for owner, jobs in puts:
        queue.put(jobs_of(owner, *range(jobs)))
    left = Counter(owner for owner, jobs in puts for _ in range(jobs))
    served: Counter[str] = Counter()
    while len(queue):
        for job in queue.take(1, limit, 0.00005):
            served[job.owner] += 1
            left[job.owner] -= 1
            waiting = [served[owner] for owner in left if left[owner] > 0]
            assert not waiting or served[job.owner] - min(waiting) <= 1


def test_heavy_jobs_leave_a_worker_to_others_and_travel_alone() -> None:
    queue = queue_of(*[Job(number, owner="heavy", is_heavy=True) for number in range(3)])
    queue.put([Job(10, owner="light"), Job(11, owner="light")])
    assert [job.name for job in queue.take(1, heavy=False)] == [10, 11]
    assert queue.take(1, heavy=False) == []  # the other has sent something a moment ago
    assert [job.name for job in queue.take(1, heavy=True)] == [0]


def test_a_heavy_job_takes_any_worker_when_nobody_else_is_there() -> None:
    queue = queue_of(Job(0, owner="heavy", is_heavy=True))
    assert [job.name for job in queue.take(1, heavy=False)] == [0]
