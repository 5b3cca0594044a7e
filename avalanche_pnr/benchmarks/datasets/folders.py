"""Folders of images, one for each class."""

import warnings
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Literal, get_args

from avalanche_pnr.benchmarks.reading.class_folders import (
    ClassFolder,
    class_names,
    find_class_folders,
    labelled_files,
)
from avalanche_pnr.benchmarks.reading.file_data import from_files
from avalanche_pnr.benchmarks.reading.folder_files import (
    existing,
    folders_in,
    images_below,
    images_in,
    is_empty,
    warn_of_strays,
)
from avalanche_pnr.benchmarks.reading.hold_out import hold_out
from avalanche_pnr.benchmarks.reading.image_data import ImageData
from avalanche_pnr.benchmarks.reading.label_checks import check_same_names
from avalanche_pnr.benchmarks.reading.text_lists import listed

Layout = Literal["class", "domain/class"]
LAYOUTS = get_args(Layout)
TRAIN, TESTS = "train", ("test", "val", "valid", "validation")
Found = list[tuple[ClassFolder, list[str]]]
"""Folders of classes with the paths of their images."""


def load_folders(
    path: str | Path,
    layout: Layout = "class",
    *,
    test_fraction: float = 0.2,
    seed: int = 0,
    skip_damaged: bool = False,
    check_duplicates: bool = True,
    max_pixels: int | None = None,
) -> ImageData:
    """Load images in folders named by class, numbered in the order of the names.

    Images lie in the folder of their class, at any depth. Where there are
    ``path/train`` and ``path/test`` (or ``val``, ``valid``, ``validation``), the layout
    is that of each of them; otherwise it is that of ``path``, or of ``path/train`` if
    that is all there is, and a part of each class (in each domain) is held out for
    testing.

    What is not used is named in a warning: files that are not images, folders without
    images, images beside the folders of classes, test images of classes that are not
    among the training images. Classes without test images are trained on.

    Args:
        path: The folder; ``~`` is the user's home.
        layout: Whether it holds ``class/image`` or ``domain/class/image``, of any
            format that Pillow reads.
        test_fraction: Fraction of the images held out where there is no test folder.
        seed: Seed of the choice of held-out images.
        skip_damaged: Whether to read every file once and leave the damaged ones out,
            named by ``skipped``; otherwise such a file is an error when it is read.
        check_duplicates: Whether to look for test files that are also training files,
            with a warning if there are any; files of equal size are read.
        max_pixels: Pixels that an image may have, if more than Pillow opens by default,
            about 179 million.

    Raises:
        FileNotFoundError: If the folder or a split is not there, or there is no image.
        ValueError: If the layout is unknown, domains of test and training data differ,
            or no image can be held out.
    """
    if layout not in LAYOUTS:
        raise ValueError(
            f"layout={layout!r} must be 'class' or 'domain/class' (data.layout=class); "
            "images in other folders are for load_unlabelled (data=unlabelled)"
        )
    path = existing(path)
    train_root, test_root = _splits(path)
    roots = [train_root] if test_root is None else [train_root, test_root]
    found, *tested = _find(path, roots, layout)
    classes = class_names(folder for folder, _ in found)
    domains = sorted({folder.domain for folder, _ in found} - {""})
    train = labelled_files(found, classes, domains)
    if test_root is None:
        train, test = hold_out(str(path), train, test_fraction, seed)
    else:
        known = _of_known_classes(test_root, tested[0], classes)
        held_domains = {folder.domain for folder, _ in known} - {""}
        places = {test_root.name: held_domains, TRAIN: domains}
        check_same_names(str(path), "domains", places)
        test = labelled_files(known, classes, domains)
    return from_files(
        str(path),
        train,
        test,
        classes,
        domains or None,
        skip_damaged=skip_damaged,
        check_duplicates=check_duplicates,
        max_pixels=max_pixels,
    )


def _splits(path: Path) -> tuple[Path, Path | None]:
    """The folder of training data, and that of test data if there is one."""
    folders = {name.lower(): folder for name, folder in folders_in(path).items()}
    splits = [folders[each] for each in (TRAIN, *TESTS) if each in folders]
    if empty := [each for each in splits if is_empty(each)]:
        _warn_left_out(path, "there is nothing in them", [*map(str, empty)])
        folders = {name: each for name, each in folders.items() if each not in empty}
    train = folders.get(TRAIN)
    test = next((folders[name] for name in TESTS if name in folders), None)
    if train and test:
        return train, test
    alone = train or test
    if not alone or images_in(alone):  # which is a class of that name
        return path, None
    if len(folders) == 1 and train:
        warnings.warn(
            f"{path} holds {train.name}/ alone: a part of it is held out for testing",
            stacklevel=3,
        )
        return train, None
    absent = "test/ or val/" if train else "train/"
    raise FileNotFoundError(
        f"{path} holds {alone.name}/ but no {absent}: add it, or let data.path name "
        f"{alone}, of which a part is then held out"
    )


def _find(path: Path, roots: list[Path], layout: Layout) -> list[Found]:
    """The folders of classes below each root that hold images, with their images."""
    folders = [_class_folders(root, layout) for root in roots]
    every = [each for of_root in folders for each in of_root]
    parents = {each.path.parent for each in every}
    places = [each.path for each in every]
    paths = iter(images_below(str(path), places, {path, *roots, *parents}))
    found = [[(each, next(paths)) for each in of_root] for of_root in folders]
    filled = [[each for each in of_root if each[1]] for of_root in found]
    for root, of_root in zip(roots, filled, strict=True):
        if not of_root:
            raise FileNotFoundError(
                f"there are no images in folders of {root}: {_expected(root, layout)}"
            )
    if empty := [str(folder.path) for of in found for folder, held in of if not held]:
        _warn_left_out(path, "there are no images in them", empty)
    warn_of_strays(places)
    return filled


def _class_folders(root: Path, layout: Layout) -> list[ClassFolder]:
    """The folders of classes below a root, whether they hold images or not."""
    if layout == "class":
        return find_class_folders({"": root}, _expected(root, layout))
    domains = folders_in(root)
    empty = [name for name, folder in domains.items() if not folders_in(folder)]
    if len(empty) == len(domains):
        raise FileNotFoundError(
            f"there are no folders in folders of {root}: {_expected(root, layout)}"
        )
    if empty:
        _warn_left_out(root, "there are no folders of classes in them", empty)
    domains = {name: each for name, each in domains.items() if name not in empty}
    return find_class_folders(domains, _expected(root, layout))


def _expected(root: Path, layout: Layout) -> str:
    return (
        f"{root} must hold {layout}/image, in a format that Pillow reads; images "
        "without classes are for load_unlabelled (in a run of experiments, "
        "data=unlabelled)"
    )


def _of_known_classes(root: Path, found: Found, classes: Iterable[str]) -> Found:
    """Keep the folders of classes that have training images; warn of the rest."""
    known = {*classes}
    if strange := {folder.name for folder, _ in found} - known:
        _warn_left_out(root, "no training images are of these classes", strange)
    kept = [each for each in found if each[0].name in known]
    if not kept:
        raise ValueError(
            f"{root} holds none of the classes of the training images: name the "
            "folders of both alike"
        )
    return kept


def _warn_left_out(path: Path, reason: str, names: Collection[str]) -> None:
    warnings.warn(
        f"{path}: left out, as {reason}: {listed(names)}",
        stacklevel=5,
    )
