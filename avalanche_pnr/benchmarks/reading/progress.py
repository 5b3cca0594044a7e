"""Progress bars for work that may take long, such as looking at every file."""

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

from avalanche_pnr.distributed.collectives import rank

Item = TypeVar("Item")


def progress(
    items: Iterable[Item], what: str, total: int | None = None
) -> Iterable[Item]:
    """Iterate with a bar that appears after a second and leaves no trace.

    A file gets none, and of several processes the first one shows it.

    Args:
        items: Items to iterate over.
        what: Name of the work.
        total: Number of items, if they have no length.
    """
    if rank() > 0:
        return items
    bar: Iterable[Item] = tqdm(
        items, desc=what, total=total, delay=1, leave=False, disable=None
    )
    return bar
