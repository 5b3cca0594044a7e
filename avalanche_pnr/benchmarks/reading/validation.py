"""Images held out of training, to choose settings by."""

from collections import defaultdict
from dataclasses import replace

import numpy as np

from avalanche_pnr.benchmarks.reading.image_data import ImageData


def hold_out_validation(data: ImageData, fraction: float, seed: int = 0) -> ImageData:
    """Replace the test images by images held out of training.

    The same fraction of each class in each domain is held out, at least one image. If
    probes are fitted to images of their own, they are held out of those.

    Args:
        data: The data set; its test images are not used.
        fraction: Fraction that is held out, above 0 and below 1.
        seed: Seed of the split.

    Raises:
        ValueError: If the fraction is out of range, or takes all images of a class.
    """
    if not 0 < fraction < 1:
        raise ValueError(
            f"validation={fraction} must be a fraction above 0 and below 1, for "
            "example 0.2"
        )
    images = data.probe_images
    domains = images.domains or [0] * len(images)
    strata: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, stratum in enumerate(zip(images.targets, domains, strict=True)):
        strata[stratum].append(index)
    random, held_out = np.random.default_rng(seed), set()
    for (label, _), members in sorted(strata.items()):
        count = max(1, round(fraction * len(members)))
        if count == len(members):
            raise ValueError(
                f"validation={fraction} holds out all {len(members)} training images "
                f"of class {data.class_names[label]!r} (in a domain): choose a smaller "
                "fraction, or leave that class out"
            )
        held_out |= set(random.permutation(members)[:count].tolist())
    rest = images.subset([each for each in range(len(images)) if each not in held_out])
    test = images.subset(sorted(held_out))
    if data.probe is None:
        return replace(data, train=rest, test=test, duplicates=None)
    return replace(data, probe=rest, test=test, duplicates=None)
