"""The queue: bounded, all or none, and shared out so that batches form by themselves."""

from dataclasses import dataclass

import pytest

from cvserve.engine.admission import MAX_BATCH_BYTES, AdmissionQueue
from cvserve.errors import NotReady, Overloaded


@dataclass
class Job:
    name: int
    size_bytes: int = 1
    runs_alone: bool = False
    wanted: bool = True

    def is_wanted(self) -> bool:
        return self.wanted


def queue_of(*jobs: Job, max_jobs: int = 100, max_bytes: int = 10**9, max_batch: int = 64) -> AdmissionQueue[Job]:
    queue: AdmissionQueue[Job] = AdmissionQueue(max_jobs, max_bytes, max_batch)
    queue.put(jobs)
    return queue


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


def test_bytes_that_wait_are_bounded_and_given_back() -> None:
    queue = queue_of(Job(0, 60), max_bytes=100)
    with pytest.raises(Overloaded):
        queue.put([Job(1, 41)])
    queue.take(1)
    queue.put([Job(1, 100)])


def test_job_that_nobody_wants_is_never_handed_out() -> None:
    queue = queue_of(*[Job(number, wanted=number % 2 == 1) for number in range(4)])
    assert names(queue.take(1)) == [1, 3]
    assert queue.waiting_bytes == 0


def test_jobs_of_a_lost_worker_come_first_and_one_by_one() -> None:
    queue = queue_of(Job(5), Job(6), max_jobs=2)
    queue.put_back([Job(1, runs_alone=True), Job(2, runs_alone=True)])
    assert queue.waiting_bytes == 4
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
