"""Tiny-ImageNet-200 in the folders that it is published in."""

from pathlib import Path

from avalanche_pnr.benchmarks.reading.class_folders import (
    ClassFolder,
    read_class_folders,
)
from avalanche_pnr.benchmarks.reading.file_data import check_listed, from_files
from avalanche_pnr.benchmarks.reading.file_images import FileImages
from avalanche_pnr.benchmarks.reading.image_data import ImageData
from avalanche_pnr.benchmarks.reading.text_lists import read_lines

NEEDED = ("wnids.txt", "train", "val/images", "val/val_annotations.txt")
REMEDY = (
    "data.path must hold wnids.txt, train/<wnid>/images, val/images and "
    "val/val_annotations.txt, as tiny-imagenet-200.zip of Stanford's CS231n unpacks"
)


def load_tiny_imagenet(
    path: str | Path,
    *,
    skip_damaged: bool = False,
    check_duplicates: bool = True,
    max_pixels: int | None = None,
) -> ImageData:
    """Load Tiny-ImageNet-200: 200 classes, 500 + 50 images each, 64 px.

    Its labelled validation images are the test images. Classes are numbered in the
    order of ``wnids.txt`` and named by ``words.txt``, without it by their wnids.

    Args:
        path: Folder that holds ``wnids.txt``, ``train/<wnid>/images/``,
            ``val/images/`` and ``val/val_annotations.txt``.
        skip_damaged: Whether to read every file once and leave the missing and damaged
            ones out, named by ``skipped``.
        check_duplicates: Whether to look for test files that are also training files,
            with a warning if there are any; files of equal size are read.
        max_pixels: As for :func:`load_folders`.

    Raises:
        FileNotFoundError: If one of these or a listed file is not there, or a class
            has no images.
        ValueError: If a list is empty or damaged.
    """
    path = Path(path).expanduser()
    missing = [name for name in NEEDED if not (path / name).exists()]
    if missing:
        raise FileNotFoundError(f"{path} lacks {', '.join(missing)}: {REMEDY}")
    wnids = read_lines(path / "wnids.txt")
    folders = [
        ClassFolder("", each, path / "train" / each / "images") for each in wnids
    ]
    words = _words(path / "words.txt")
    source = f"Tiny-ImageNet in {path}"
    test = _validation_images(path / "val", wnids)
    if not skip_damaged:
        check_listed(source, test)
    return from_files(
        source,
        read_class_folders(folders, wnids, (), REMEDY),
        test,
        [words.get(each, each) for each in wnids],
        skip_damaged=skip_damaged,
        check_duplicates=check_duplicates,
        max_pixels=max_pixels,
    )


def _validation_images(path: Path, wnids: list[str]) -> FileImages:
    numbers = {wnid: number for number, wnid in enumerate(wnids)}
    annotations = path / "val_annotations.txt"
    images, targets = [], []
    for line in read_lines(annotations):
        name, _, rest = line.partition("\t")
        wnid = rest.partition("\t")[0]
        if wnid not in numbers:
            raise ValueError(
                f"{annotations} is damaged: '{line}' does not begin with an image and "
                "a wnid of wnids.txt, parted by tabs"
            )
        images.append(path / "images" / name)
        targets.append(numbers[wnid])
    return FileImages(images, targets)


def _words(file: Path) -> dict[str, str]:
    """Map each wnid to its words; empty if there is no such file."""
    if not file.is_file():
        return {}
    pairs = (line.partition("\t") for line in read_lines(file))
    return {wnid: words for wnid, _, words in pairs}
