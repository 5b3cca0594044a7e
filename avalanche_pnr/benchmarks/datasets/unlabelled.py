"""Images without classes, for training, beside labelled ones that judge."""

from dataclasses import replace
from pathlib import Path

from avalanche_pnr.benchmarks.reading.damaged import StoredImages, without_damaged
from avalanche_pnr.benchmarks.reading.file_images import FileImages
from avalanche_pnr.benchmarks.reading.folder_files import existing, images_below
from avalanche_pnr.benchmarks.reading.image_data import ImageData
from avalanche_pnr.benchmarks.reading.text_lists import counted

HELD_OUT, LEAST_HELD_OUT, MOST_HELD_OUT = 10, 2, 500
"""One image in so many is held out where none has a label, within these bounds."""


def load_unlabelled(
    path: str | Path,
    labelled: ImageData | None = None,
    *,
    skip_damaged: bool = False,
    check_duplicates: bool = False,
    max_pixels: int | None = None,
) -> ImageData:
    """Load images without classes for training; other images are for the probe.

    Args:
        path: Folder of images, at any depth; ``~`` is the user's home. Their label is
            -1.
        labelled: Labelled data set; its training images are for the probe, its test
            images for testing. Without it a tenth of the images, at least 2 and at
            most 500, are held out, and features are looked at without accuracies.
        skip_damaged: As for :func:`load_folders`.
        check_duplicates: Whether to look for test images that are also in the folder
            or among those for the probe; every image is read. Otherwise ``duplicates``
            is that of ``labelled``.
        max_pixels: As for :func:`load_folders`.

    Raises:
        FileNotFoundError: If the folder is not there or holds no image.
        TypeError: If ``labelled`` is something else.
    """
    check_labelled(labelled)
    path = existing(path)
    (paths,) = images_below(str(path), [path])
    if not paths:
        raise FileNotFoundError(
            f"there are no images in {path} or below: data.path must name a folder of "
            "images"
        )
    return beside_labelled(
        str(path),
        FileImages(paths, [-1] * len(paths), max_pixels=max_pixels),
        labelled,
        skip_damaged=skip_damaged,
        check_duplicates=check_duplicates,
    )


def check_labelled(labelled: object) -> None:
    """Refuse what is neither a labelled data set nor ``None``.

    Raises:
        TypeError: With how to name one.
    """
    if labelled is not None and not isinstance(labelled, ImageData):
        raise TypeError(
            f"labelled must be labelled images, as load_folders(path) gives, not "
            f"{labelled!r} (on the command line: 'data.labelled={{_target_: "
            "avalanche_pnr.load_folders, path: photos}')"
        )


def beside_labelled(
    source: str,
    train: StoredImages,
    labelled: ImageData | None,
    *,
    skip_damaged: bool,
    check_duplicates: bool,
) -> ImageData:
    """Put images without classes together with those that judge what is learned.

    Args:
        source: Origin of the images, for error messages.
        train: Images without classes.
        labelled: As for :func:`load_unlabelled`.
        skip_damaged: As for :func:`load_unlabelled`.
        check_duplicates: As for :func:`load_unlabelled`.
    """
    skipped: list[str] = []
    if skip_damaged:
        train, skipped = without_damaged(train)
    if labelled is None:
        return replace(_without_labels(source, train), skipped=tuple(skipped))
    data = ImageData.from_images(
        source,
        train,
        labelled.test,
        labelled.class_names,
        probe=labelled.probe_images,
    )
    data = replace(
        data, skipped=(*skipped, *labelled.skipped), duplicates=labelled.duplicates
    )
    return data.compared(source) if check_duplicates else data


def _without_labels(source: str, images: StoredImages) -> ImageData:
    """Images for training, some held out, and none with a label."""
    held = min(max(len(images) // HELD_OUT, LEAST_HELD_OUT), MOST_HELD_OUT)
    if len(images) < 2 * LEAST_HELD_OUT:
        raise ValueError(
            f"{source} holds {counted(len(images), 'image')}, and {2 * LEAST_HELD_OUT} "
            "are needed, 2 to train on and 2 to look at: add images, or name labelled "
            "ones to look at (data.labelled=...)"
        )
    every = len(images) // held
    numbers = range(len(images))
    test = list(numbers)[::every][:held]
    train = sorted({*numbers} - {*test})
    return ImageData(
        images.subset(train), images.subset(test), (), probe=images.subset([])
    )
