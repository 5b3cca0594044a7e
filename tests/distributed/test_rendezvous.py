"""Processes that are started again, on a store that remembers those before them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import torch.distributed as dist

from avalanche_pnr.distributed.rendezvous import meet

PATIENCE = timedelta(minutes=5)
SIZE = 3


def shared_store() -> dist.Store:
    store = dist.HashStore()
    store.set_timeout(PATIENCE)
    return store


def met(store: dist.Store, late: int | None = None) -> list[dist.Store]:
    """Their parts of the store, when one of them comes later than the others."""

    def come(rank: int) -> dist.Store:
        if rank == late:
            time.sleep(0.3)
        return meet(store, rank, SIZE, PATIENCE)

    with ThreadPoolExecutor(SIZE) as processes:
        return list(processes.map(come, range(SIZE)))


@pytest.mark.parametrize("late", range(SIZE))
def test_nothing_is_read_of_processes_before_a_restart(late: int) -> None:
    store = shared_store()
    for attempt in range(3):
        parts = met(store, late if attempt else None)
        assert not any(part.check(["address of 1"]) for part in parts)
        parts[1].set("address of 1", str(attempt))
        assert [part.get("address of 1") for part in parts] == [
            str(attempt).encode()
        ] * SIZE


def test_a_process_that_died_before_it_was_called_is_not_waited_for() -> None:
    store = shared_store()
    store.set("process 1", "of one that is no more")
    parts = met(store, late=1)
    parts[0].set("key", "value")
    assert parts[1].get("key") == b"value"


def test_a_process_that_does_not_come_is_named() -> None:
    store = shared_store()
    other = threading.Thread(target=meet, args=(store, 1, SIZE, PATIENCE))
    other.start()
    store.wait(["process 1"], PATIENCE)
    with pytest.raises(TimeoutError, match="process 2 has not come within 0:00:01"):
        meet(store, 0, SIZE, timedelta(seconds=1))
    other.join()


def test_a_first_process_that_does_not_come_is_named() -> None:
    with pytest.raises(TimeoutError, match="process 0 has not come within 0:00:01"):
        meet(shared_store(), 1, SIZE, timedelta(seconds=1))
