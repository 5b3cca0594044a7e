"""Looking at images before they are learned: those that cannot be read are named."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from avalanche_pnr.benchmarks.reading.damaged import UNRECOGNISED, by_kind, damages
from avalanche_pnr.benchmarks.reading.file_images import UnreadableImageError
from avalanche_pnr.benchmarks.reading.text_lists import counted
from avalanche_pnr.learner.digests import EMPTY, Digests, keys, lie_in_files
from avalanche_pnr.learner.images import Arrivals

UNREAD = "not readable at first"


def readable(
    arrivals: Arrivals, known: Sequence[Digests], *, skip_damaged: bool
) -> Arrivals:
    """Return the images that can be read, before any is learned.

    Files are decoded once, as in each epoch of training, but for those whose content is
    known.

    Args:
        arrivals: The images.
        known: Digests of images that could be read before.
        skip_damaged: Whether to leave out those that cannot be read.

    Raises:
        FileNotFoundError: If none is left.
        TooLargeImageError: If an image has more pixels than are opened.
        UnreadableImageError: If images cannot be read, and are not left out: how many,
            which, and why.
    """
    if not lie_in_files(arrivals.images):
        return arrivals
    is_new = np.ones(len(arrivals), bool)
    for digests in known:
        is_new &= ~np.isin(keys(arrivals.digests), keys(digests))
    unread = (arrivals.digests == np.frombuffer(EMPTY, np.uint8)).all(axis=1)
    found = damages(arrivals.images, np.flatnonzero(is_new | unread).tolist())
    # Who an image is whose file could not be opened a moment ago is not known.
    found |= {k: UNREAD for k in np.flatnonzero(unread).tolist() if k not in found}
    if not found:
        return arrivals
    named = {
        arrivals.names[k]: _reason(kind, arrivals.digests[k].tobytes())
        for k, kind in found.items()
    }
    if not skip_damaged:
        raise UnreadableImageError(
            f"{len(found):,} of {counted(len(arrivals), 'image')} cannot be read: "
            f"{by_kind(named)}. Replace them, or leave them out with skip_damaged=True "
            "(on the command line, skip_damaged=true)"
        )
    good = [k for k in range(len(arrivals)) if k not in found]
    if not good:
        raise FileNotFoundError(
            f"data={arrivals.source} holds no image that can be read: {by_kind(named)}"
        )
    return replace(arrivals.subset(good), damaged=tuple(named))


def _reason(kind: str, digest: bytes) -> str:
    return "empty" if kind == UNRECOGNISED and digest == EMPTY else kind
