"""Rendezvous of processes, also after ``torchrun`` has restarted them."""

import time
from datetime import timedelta
from uuid import uuid4

from torch.distributed import DistStoreError
from torch.distributed.distributed_c10d import PrefixStore, Store


def meet(store: Store, rank: int, size: int, timeout: timedelta) -> Store:
    """Return a store without entries of earlier processes; called by all.

    ``torchrun`` keeps one store over its restarts. A process that looks there for the
    address of another may find that of its dead predecessor before the new one is
    written, and then fails to connect (torch 2.14). The count of restarts cannot tell
    them apart, as it differs between machines.

    Args:
        store: Store that the processes share, whatever it holds.
        rank: Rank of this process.
        size: Number of processes.
        timeout: Time for which the first process and the others wait for each other.

    Returns:
        A part of the store that no earlier processes have written to.

    Raises:
        TimeoutError: If another process does not join in time.
    """
    name = uuid4().hex
    if rank == 0:
        _call_others(store, name, range(1, size), timeout)
    else:
        store.set(f"process {rank}", name)
        key = f"call for {name}"
        try:
            store.wait([key], timeout)
        except DistStoreError as error:
            raise _absent(0, timeout) from error
        call = store.get(key).decode()
        store.set(f"{call} heard by {rank}", "")
        name = call
    return PrefixStore(name, store)


def _call_others(store: Store, name: str, others: range, timeout: timedelta) -> None:
    # A dead process may have left the name that is read here: it hears nothing, so
    # that the first one goes on calling until the living one has written its own.
    end = time.monotonic() + timeout.total_seconds()
    waiting = list(others)
    while waiting:
        for other in waiting:
            if store.check([f"process {other}"]):
                who = store.get(f"process {other}").decode()
                store.set(f"call for {who}", name)
        waiting = [k for k in waiting if not store.check([f"{name} heard by {k}"])]
        if waiting and time.monotonic() > end:
            raise _absent(waiting[0], timeout)
        time.sleep(0.01)


def _absent(rank: int, timeout: timedelta) -> TimeoutError:
    return TimeoutError(
        f"process {rank} has not come within {timeout}: look for its error, or raise "
        "distributed.timeout_minutes"
    )
