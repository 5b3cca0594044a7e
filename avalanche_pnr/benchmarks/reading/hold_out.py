"""A test split for images that come without one."""

from collections import Counter

from sklearn.model_selection import train_test_split

from avalanche_pnr.benchmarks.reading.file_images import FileImages


def hold_out(
    source: str, images: FileImages, test_fraction: float, seed: int
) -> tuple[FileImages, FileImages]:
    """Training and test images, the same part of each class in each domain held out.

    Args:
        source: Where the images come from, for error messages.
        images: All images.
        test_fraction: Part that is held out.
        seed: Of the split.

    Raises:
        ValueError: If there are too few images for that.
    """
    domains = images.domains or [0] * len(images)
    strata = [f"{c} {d}" for c, d in zip(images.targets, domains, strict=True)]
    rarest, least = Counter(strata).most_common()[-1]
    if least < 2:
        path = images.paths[strata.index(rarest)]
        raise ValueError(
            f"{source}: the class of {path} has no other image (in its domain), so "
            "none can be held out: add images, or a folder of test images"
        )
    try:
        train, test = train_test_split(
            range(len(images)),
            test_size=test_fraction,
            random_state=seed,
            stratify=strata,
        )
    except ValueError as error:
        raise ValueError(
            f"{source}: test_fraction={test_fraction} cannot be held out of "
            f"{len(images)} images ({error}): choose another, or add a folder of test "
            "images"
        ) from error
    return images.subset(sorted(train)), images.subset(sorted(test))
