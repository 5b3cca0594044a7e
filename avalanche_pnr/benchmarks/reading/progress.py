"""Progress of what may take long, such as looking at every file."""

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

from avalanche_pnr.distributed.collectives import rank

Item = TypeVar("Item")


def progress(
    items: Iterable[Item], what: str, total: int | None = None
) -> Iterable[Item]:
    """The same items, with a bar that shows after a second and leaves no trace.

    Of several processes the first one shows it.

    Args:
        items: What is gone through.
        what: Name of the work.
        total: Number of items, where they do not know it.
    """
    if rank() > 0:
        return items
    bar: Iterable[Item] = tqdm(items, desc=what, total=total, delay=1, leave=False)
    return bar
