"""PACS in the folders and lists that it is published in."""

from pathlib import Path

from avalanche_pnr.benchmarks.reading.class_folders import (
    class_names,
    find_class_folders,
    read_class_folders,
)
from avalanche_pnr.benchmarks.reading.file_data import check_listed, from_files
from avalanche_pnr.benchmarks.reading.hold_out import hold_out
from avalanche_pnr.benchmarks.reading.image_data import ImageData
from avalanche_pnr.benchmarks.reading.image_lists import (
    folder_class_names,
    read_image_lists,
)
from avalanche_pnr.benchmarks.reading.text_lists import listed

DOMAINS = ("photo", "art_painting", "cartoon", "sketch")
"""Domains in the order of the stream, away from photographs."""
IMAGES, LISTS = ("", "kfold", "pacs_data"), ("", "kfold", "pacs_label")
TRAIN_LIST, TEST_LIST = "{}_train_kfold.txt", "{}_crossval_kfold.txt"
REMEDY = (
    f"data.path must hold the folders {', '.join(DOMAINS)} of PACS, itself or in "
    "kfold/ or pacs_data/, each with a folder for each class; DomainBed's download "
    "script fetches them"
)


def load_pacs(
    path: str | Path,
    *,
    test_fraction: float = 0.2,
    seed: int = 0,
    skip_damaged: bool = False,
    check_duplicates: bool = True,
    max_pixels: int | None = None,
) -> ImageData:
    """Load PACS: photos, paintings, cartoons and sketches of the same seven classes.

    With the published lists ``<domain>_train_kfold.txt`` and
    ``<domain>_crossval_kfold.txt`` the split is theirs. Without any list a part of each
    class in each domain is held out.

    Args:
        path: Folder that holds the four folders ``<domain>/<class>/``, itself or in
            ``kfold/`` or ``pacs_data/``, and the lists, if there are any, beside them
            or in ``pacs_label/``.
        test_fraction: Fraction of the images held out where there are no lists.
        seed: Seed of the choice of held-out images.
        skip_damaged: Whether to read every file once and leave the missing and damaged
            ones out, named by ``skipped``.
        check_duplicates: Whether to look for test files that are also training files,
            with a warning if there are any; files of equal size are read.
        max_pixels: As for :func:`load_folders`.

    Raises:
        FileNotFoundError: If a folder of a domain, some of the lists or files that
            they list are not there.
        ValueError: If a list is damaged or the classes do not fit.

    Source: Li et al. 2017, Deeper, Broader and Artier Domain Generalization,
    arXiv 1710.03077.
    """
    path = Path(path).expanduser()
    root = _root(path)
    lists = _lists(path)
    if lists:
        names = {each: lists[TRAIN_LIST.format(each)] for each in DOMAINS}
        tests = {each: lists[TEST_LIST.format(each)] for each in DOMAINS}
        train = read_image_lists(root, names, first_class=1)
        test = read_image_lists(root, tests, first_class=1)
        classes = folder_class_names(train)
        if not skip_damaged:
            check_listed(f"PACS in {path}", train, test)
    else:
        folders = find_class_folders({each: root / each for each in DOMAINS}, REMEDY)
        classes = class_names(folders)
        images = read_class_folders(folders, classes, DOMAINS, REMEDY)
        train, test = hold_out(f"PACS in {path}", images, test_fraction, seed)
    return from_files(
        f"PACS in {path}",
        train,
        test,
        classes,
        DOMAINS,
        skip_damaged=skip_damaged,
        check_duplicates=check_duplicates,
        max_pixels=max_pixels,
    )


def _root(path: Path) -> Path:
    """The folder that the folders of the domains are in."""
    missing = [
        [name for name in DOMAINS if not (path / each / name).is_dir()]
        for each in IMAGES
    ]
    best = min(range(len(IMAGES)), key=lambda each: len(missing[each]))
    if missing[best]:
        raise FileNotFoundError(
            f"{path / IMAGES[best]} lacks {', '.join(missing[best])}: {REMEDY}"
        )
    return path / IMAGES[best]


def _lists(path: Path) -> dict[str, Path]:
    """The published lists by name: all of them, or none."""
    needed = [end.format(name) for name in DOMAINS for end in (TRAIN_LIST, TEST_LIST)]
    found = {
        name: path / folder / name
        for folder in LISTS
        for name in needed
        if (path / folder / name).is_file()
    }
    missing = set(needed) - set(found)
    if found and missing:
        raise FileNotFoundError(
            f"{path} holds some lists of PACS but lacks {listed(missing)}: add them, "
            "or remove all lists to hold out a part of each class"
        )
    return found
