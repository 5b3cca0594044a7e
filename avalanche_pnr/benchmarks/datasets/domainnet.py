"""DomainNet in the folders and lists that it is published in."""

from pathlib import Path

from avalanche_pnr.benchmarks.reading.file_data import check_listed, from_files
from avalanche_pnr.benchmarks.reading.image_data import ImageData
from avalanche_pnr.benchmarks.reading.image_lists import (
    folder_class_names,
    read_image_lists,
)

DOMAINS = ("real", "quickdraw", "painting", "sketch", "infograph", "clipart")
"""Domains in the order of the published stream, from most images to fewest."""


def load_domainnet(
    path: str | Path,
    *,
    skip_damaged: bool = False,
    check_duplicates: bool = False,
    max_pixels: int | None = None,
) -> ImageData:
    """Load DomainNet: six domains, from real to clipart, that share 345 classes.

    Args:
        path: Folder that holds, for each domain, a folder of images and the lists
            ``<domain>_train.txt`` and ``<domain>_test.txt``.
        skip_damaged: Whether to read every file once, which takes long, and leave the
            missing and damaged ones out, named by ``skipped``.
        check_duplicates: Whether to look for test files that are also training files,
            with a warning if there are any; off as it looks at 590,000 files.
        max_pixels: As for :func:`load_folders`.

    Raises:
        FileNotFoundError: If the folder or a list of a domain, or a listed file, is
            not there.
        ValueError: If a list is empty or damaged, or the classes do not fit.

    Source: Peng et al. 2019, arXiv 1812.01754; the order of the domains is that of
    Cha et al. 2024, arXiv 2306.05101.
    """
    path = Path(path).expanduser()
    needed = [
        domain + end for domain in DOMAINS for end in ("", "_train.txt", "_test.txt")
    ]
    missing = [name for name in needed if not (path / name).exists()]
    if missing:
        raise FileNotFoundError(
            f"{path} lacks {', '.join(missing)}: data.path must hold the folder and "
            f"the two lists of each domain of DomainNet ({', '.join(DOMAINS)}), from "
            "its page, ai.bu.edu/DomainNet"
        )
    train, test = (
        read_image_lists(path, {each: path / f"{each}_{split}.txt" for each in DOMAINS})
        for split in ("train", "test")
    )
    if not skip_damaged:
        check_listed(f"DomainNet in {path}", train, test)
    return from_files(
        f"DomainNet in {path}",
        train,
        test,
        folder_class_names(train),
        DOMAINS,
        skip_damaged=skip_damaged,
        check_duplicates=check_duplicates,
        max_pixels=max_pixels,
    )
