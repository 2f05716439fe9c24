"""The queue: bounded, all or none, and shared out so that batches form by themselves."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from cvserve.engine.admission import MAX_BATCH_BYTES, AdmissionQueue
from cvserve.errors import NotReady, Overloaded


@dataclass
class Job:
    name: int
    size_bytes: int = 1
    is_cancelled: bool = False


def queue_of(*jobs: Job, max_jobs: int = 100, max_bytes: int = 10**9, max_batch: int = 64) -> AdmissionQueue[Job]:
    queue: AdmissionQueue[Job] = AdmissionQueue(max_jobs, max_bytes, max_batch)
    queue.put(jobs)
    return queue


def names(batch: list[Job]) -> list[int]:
    return [job.name for job in batch]


def test_lone_worker_takes_all_that_waits_in_order() -> None:
    assert names(queue_of(*map(Job, range(10))).take()) == list(range(10))


def test_batch_has_a_largest_size() -> None:
    queue = queue_of(*map(Job, range(10)), max_batch=4)
    assert [names(queue.take()) for _ in range(3)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_batch_has_a_largest_size_in_bytes_but_never_none() -> None:
    half = MAX_BATCH_BYTES // 2
    queue = queue_of(Job(0, half), Job(1, half), Job(2, 1), Job(3, 3 * half), Job(4))
    assert [names(queue.take()) for _ in range(4)] == [[0, 1], [2], [3], [4]]


@pytest.mark.parametrize(("workers", "jobs"), [(2, 9), (3, 9), (4, 2), (8, 64)])
def test_free_workers_share_what_waits(workers: int, jobs: int) -> None:
    queue: AdmissionQueue[Job] = AdmissionQueue(1_000, 10**9, 64)
    with ThreadPoolExecutor(workers) as pool:
        batches = [pool.submit(queue.take) for _ in range(workers)]
        while queue.free_workers < workers:
            threading.Event().wait(0.001)
        queue.put([Job(number) for number in range(jobs)])
        queue.close()
        sizes = [len(batch.result(timeout=30)) for batch in batches]
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
    queue.take()
    queue.put([Job(1, 100)])


def test_cancelled_job_is_never_handed_out() -> None:
    jobs = [Job(number) for number in range(4)]
    queue = queue_of(*jobs)
    jobs[0].is_cancelled = jobs[2].is_cancelled = True
    assert names(queue.take()) == [1, 3]


def test_closed_queue_admits_nothing_and_gives_out_the_rest() -> None:
    queue = queue_of(Job(0))
    queue.close()
    with pytest.raises(NotReady):
        queue.put([Job(1)])
    assert names(queue.take()) == [0]
    assert queue.take() == []


def test_every_job_is_taken_once_by_many_workers() -> None:
    queue: AdmissionQueue[Job] = AdmissionQueue(10_000, 10**9, 8)
    taken: list[int] = []

    def work() -> None:
        while batch := queue.take():
            taken.extend(names(batch))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for number in range(2_000):
        queue.put([Job(number)])
    queue.close()
    for worker in workers:
        worker.join(timeout=30)
    assert sorted(taken) == list(range(2_000))
