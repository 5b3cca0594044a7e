"""A data set of image files, put together."""

from dataclasses import replace
from typing import Any

from avalanche_pnr.benchmarks.reading.damaged import without_damaged
from avalanche_pnr.benchmarks.reading.duplicates import count_duplicates, equal_files
from avalanche_pnr.benchmarks.reading.file_images import FileImages
from avalanche_pnr.benchmarks.reading.folder_files import missing_files
from avalanche_pnr.benchmarks.reading.image_data import ImageData
from avalanche_pnr.benchmarks.reading.text_lists import listed


def from_files(
    source: str,
    train: FileImages,
    test: FileImages,
    class_names: Any = None,
    domain_names: Any = None,
    *,
    skip_damaged: bool,
    check_duplicates: bool,
    max_pixels: int | None,
) -> ImageData:
    """Check the files and labels as far as asked, and put them together.

    Args:
        source: Origin of the files, for error messages.
        train: Training images.
        test: Test images.
        class_names: Name of each class, by default its number.
        domain_names: Name of each domain, by default its number.
        skip_damaged: Whether to read every file now and leave out what is damaged;
            otherwise a damaged file is an error when it is asked for.
        check_duplicates: Whether to look for test files that are also among the
            training files, with a warning if there are any.
        max_pixels: As for :class:`FileImages`.

    Raises:
        ValueError: As :meth:`ImageData.from_images`, or if skipping damaged files
            leaves a class of a split without images.
    """
    train.max_pixels = test.max_pixels = max_pixels
    skipped: list[str] = []
    if skip_damaged:
        train, damaged = _readable(f"{source} (train)", train)
        test, damaged_test = _readable(f"{source} (test)", test)
        skipped = damaged + damaged_test
    data = ImageData.from_images(source, train, test, class_names, domain_names)
    data = replace(data, skipped=tuple(skipped))
    if not check_duplicates:
        return data
    pairs = equal_files(train.paths, test.paths)
    return replace(data, duplicates=count_duplicates(source, pairs))


def check_listed(source: str, *splits: FileImages) -> None:
    """Refuse lists of files that are not there.

    Args:
        source: Place of the files, for error messages.
        splits: The listed images.

    Raises:
        FileNotFoundError: With some of the files that are missing.
    """
    missing = missing_files(path for images in splits for path in images.paths)
    if missing:
        raise FileNotFoundError(
            f"{source}: {len(missing)} of the listed files are missing: "
            f"{listed(missing, 3)}; unpack them again, or leave them out with "
            "skip_damaged=True (in a run of experiments, data.skip_damaged=true)"
        )


def _readable(source: str, images: FileImages) -> tuple[FileImages, list[str]]:
    kept, damaged = without_damaged(images)
    if lost := set(images.targets) - set(kept.targets):
        raise ValueError(
            f"{source}: every image of {len(lost)} classes is damaged, among them "
            f"{listed(damaged, 3)}: unpack them again"
        )
    return kept, damaged
