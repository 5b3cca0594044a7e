"""ImageNet-1k and its subsets, as published and as packed on Kaggle."""

from pathlib import Path

from avalanche_pnr.benchmarks.datasets.wnid_lists import read_class_list
from avalanche_pnr.benchmarks.reading.class_folders import (
    ClassFolder,
    read_class_folders,
)
from avalanche_pnr.benchmarks.reading.file_data import from_files
from avalanche_pnr.benchmarks.reading.folder_files import folders_in
from avalanche_pnr.benchmarks.reading.image_data import ImageData
from avalanche_pnr.benchmarks.reading.label_checks import check_same_names

TRAIN, VAL = ("train", "train.X*"), ("val", "val.X*")
"""Names of the folders as published, and on Kaggle, where they come in parts."""
REMEDY = (
    "data.path must hold train/<wnid> and val/<wnid> with the images of each class, or "
    "train.X1, ... and val.X as packed on Kaggle (ambityga/imagenet100, 100 classes); "
    "ILSVRC2012 is had from image-net.org, and its validation images must be sorted "
    "into folders of their classes"
)


def load_imagenet(
    path: str | Path,
    classes: str | Path | None = None,
    *,
    skip_damaged: bool = False,
    check_duplicates: bool = False,
    max_pixels: int | None = None,
) -> ImageData:
    """Load ImageNet-1k, or those of its classes that a list names.

    Figures on different lists are not comparable: state the list with every number.

    Args:
        path: Folder that holds ``train/<wnid>/*.JPEG`` and ``val/<wnid>/*.JPEG``, or
            ``train.X1`` to ``train.X4`` and ``val.X``, as ImageNet-100 is packed on
            Kaggle.
        classes: List of the classes, numbered in its order: ``"cmc"`` or ``"kaggle"``
            for a usual list of ImageNet-100, or a text file with one wnid a line
            (:func:`read_class_list`). By default all classes that are there, in the
            order of their wnids.
        skip_damaged: Whether to read every file once, which takes long, and leave the
            damaged ones out, named by ``skipped``.
        check_duplicates: Whether to look for test files that are also training files,
            with a warning if there are any; off as it looks at 1.3 million files.
        max_pixels: As for :func:`load_folders`.

    Raises:
        FileNotFoundError: If there is no such list, or a class has no images.
        ValueError: If the list is empty or names a class twice, or, without a list,
            the classes of training and validation differ.
    """
    path = Path(path).expanduser()
    train, val = _folders(path, TRAIN), _folders(path, VAL)
    if classes is None:
        check_same_names(f"ImageNet in {path}", "classes", {"val": val, "train": train})
    names = sorted(train) if classes is None else read_class_list(classes)
    train_images, val_images = (
        read_class_folders(
            [
                ClassFolder("", name, folder)
                for name in names
                for folder in folders.get(name, [path / split / name])
            ],
            names,
            (),
            REMEDY,
        )
        for split, folders in (("train", train), ("val", val))
    )
    return from_files(
        f"ImageNet in {path}",
        train_images,
        val_images,
        names,
        skip_damaged=skip_damaged,
        check_duplicates=check_duplicates,
        max_pixels=max_pixels,
    )


def _folders(path: Path, patterns: tuple[str, ...]) -> dict[str, list[Path]]:
    """Folders of each class in all parts of a split."""
    found = [part for each in patterns for part in sorted(path.glob(each))]
    parts = [part for part in found if part.is_dir()]
    folders: dict[str, list[Path]] = {}
    for part in parts:
        for name, folder in folders_in(part).items():
            folders.setdefault(name, []).append(folder)
    if not folders:
        where = parts[0] if parts else path / patterns[0]
        raise FileNotFoundError(f"there are no folders of classes in {where}: {REMEDY}")
    return folders
