"""Folders of images, one for each class."""

from pathlib import Path
from typing import Literal, get_args

from avalanche_pnr.benchmarks.reading.class_folders import (
    ClassFolder,
    class_names,
    find_class_folders,
    read_class_folders,
)
from avalanche_pnr.benchmarks.reading.file_data import from_files
from avalanche_pnr.benchmarks.reading.folder_files import existing, folders_in
from avalanche_pnr.benchmarks.reading.hold_out import hold_out
from avalanche_pnr.benchmarks.reading.image_data import ImageData
from avalanche_pnr.benchmarks.reading.label_checks import check_same_names

Layout = Literal["class", "domain/class"]
LAYOUTS = get_args(Layout)
REMEDY = (
    "fill or remove them, or choose the layout that fits, 'class' or 'domain/class'"
)
TRAIN, TESTS = "train", ("test", "val")


def load_folders(
    path: str | Path,
    layout: Layout = "class",
    *,
    test_fraction: float = 0.2,
    seed: int = 0,
    skip_damaged: bool = False,
    check_duplicates: bool = True,
) -> ImageData:
    """Images in folders that are named by class, numbered in the order of the names.

    Where there are ``path/train`` and ``path/test`` (or ``path/val``), the layout is
    that of each of them; otherwise it is that of ``path``, and a part of each class (in
    each domain) is held out for testing.

    Args:
        path: The folder.
        layout: Whether it holds ``class/image`` or ``domain/class/image``, of any usual
            format.
        test_fraction: Part of the images that is held out, without a test folder.
        seed: Of what is held out.
        skip_damaged: Whether to read every file once and leave the damaged ones out,
            named by ``skipped``; otherwise such a file is an error when it is read.
        check_duplicates: Whether to look for test files that are also training files,
            with a warning if there are any; files of equal size are read.

    Raises:
        FileNotFoundError: If the folder or a split is not there, or a folder is empty.
        ValueError: If the layout is unknown, or test data has classes or domains that
            training data lacks, or the other way round.
    """
    if layout not in LAYOUTS:
        raise ValueError(
            f"layout={layout!r} must be 'class' or 'domain/class'; images in folders "
            "that are no classes are for load_unlabelled"
        )
    path = existing(Path(path))
    tests = [name for name in TESTS if (path / name).is_dir()]
    if (path / TRAIN).is_dir() != bool(tests):
        here, absent = (tests[0], "train/") if tests else (TRAIN, "test/ or val/")
        raise FileNotFoundError(
            f"{path} holds {here}/ but no {absent}: add it, or let data.path name "
            f"{path / here}, of which a part is then held out"
        )
    found = _class_folders(path / TRAIN if tests else path, layout)
    classes = class_names(found)
    domains = sorted({each.domain for each in found} - {""})
    images = read_class_folders(found, classes, domains, REMEDY)
    if tests:
        held = _class_folders(path / tests[0], layout)
        held_domains = {each.domain for each in held} - {""}
        for kind, names, held_names in (
            ("classes", classes, class_names(held)),
            ("domains", domains, held_domains),
        ):
            check_same_names(str(path), kind, {tests[0]: held_names, TRAIN: names})
        train, test = images, read_class_folders(held, classes, domains, REMEDY)
    else:
        train, test = hold_out(str(path), images, test_fraction, seed)
    return from_files(
        str(path),
        train,
        test,
        classes,
        domains or None,
        skip_damaged=skip_damaged,
        check_duplicates=check_duplicates,
    )


def _class_folders(root: Path, layout: Layout) -> list[ClassFolder]:
    domains = {"": root} if layout == "class" else folders_in(root)
    expected = (
        f"fill or remove folders without any, {root} must hold {layout}/image; images "
        "without classes are for load_unlabelled (data=unlabelled)"
    )
    if not domains:
        raise FileNotFoundError(f"there are no folders in {root}: {expected}")
    return find_class_folders(domains, expected)
