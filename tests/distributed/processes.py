"""Groups of processes that run a function together."""

import multiprocessing
import os
import pickle
import tempfile
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch.distributed as dist

from tests.commands import end_after

TIMEOUT = timedelta(minutes=5)


def together(
    world_size: int,
    function: Callable[..., Any],
    *args: Any,
    timeout: Any = TIMEOUT,
    start: str = "fork",
) -> list[Any]:
    """What a function returns in each of some processes that know each other.

    They are forked, so that nothing is imported anew, unless they use a GPU.

    Args:
        world_size: Number of processes.
        function: Called in each of them.
        *args: Its arguments.
        timeout: How long they wait for each other.
        start: ``"spawn"`` for GPUs.

    Returns:
        The values by rank; an error in its place if one was raised; ``None`` of a
        process that died.
    """
    context = multiprocessing.get_context(start)
    with tempfile.TemporaryDirectory() as folder:
        processes, ends = [], []
        for rank in range(world_size):
            end, other_end = context.Pipe(duplex=False)
            ends.append(end)
            process = context.Process(
                target=_run,
                args=(rank, world_size, folder, other_end, timeout, function, args),
            )
            process.start()
            other_end.close()
            processes.append(process)
        values = [_received(end) for end in ends]
        for process in processes:
            process.join()
    return values


def _received(end: Any) -> Any:
    try:
        return pickle.loads(end.recv_bytes())
    except EOFError:
        return None


def _run(
    rank: int,
    world_size: int,
    folder: str,
    end: Any,
    timeout: Any,
    function: Callable[..., Any],
    args: Any,
) -> None:
    end_after(2 * round(TIMEOUT.total_seconds()))
    store = dist.FileStore(str(Path(folder) / "store"), world_size)
    dist.init_process_group(
        "gloo", store=store, rank=rank, world_size=world_size, timeout=timeout
    )
    try:
        end.send_bytes(pickle.dumps(function(*args)))
    except Exception as error:  # told to the test
        traceback.print_exc()
        end.send_bytes(pickle.dumps(error))
    end.close()
    os._exit(0)  # nothing of the test's process is to be torn down
