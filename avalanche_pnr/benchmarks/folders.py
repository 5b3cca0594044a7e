"""Data sets of image files, in the folders and lists they are published in."""

from collections import Counter
from pathlib import Path

from avalanche_pnr.benchmarks.file_images import FileImages
from avalanche_pnr.benchmarks.image_data import ImageData

DOMAINS = ("real", "quickdraw", "painting", "sketch", "infograph", "clipart")


def load_imagenet100(path: str | Path, classes: str | Path) -> ImageData:
    """The classes of ImageNet that a list names, numbered in the order of the list.

    Figures on different lists are not comparable: state the list with every number.

    Args:
        path: Folder that holds ``train/<wnid>/*.JPEG`` and ``val/<wnid>/*.JPEG``.
        classes: Text file with one wnid a line; ``#`` begins a comment.

    Raises:
        FileNotFoundError: If there is no such list, or a class has no images.
        ValueError: If the list is empty or names a class twice.
    """
    path, classes = Path(path), Path(classes)
    if not classes.is_file():
        raise FileNotFoundError(
            f"{classes} does not exist: classes must name a text file with one wnid "
            "a line"
        )
    names = _read_lines(classes)
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ValueError(
            f"{classes} names {', '.join(twice)} more than once: keep one line for "
            "each class"
        )
    return ImageData.from_images(
        f"ImageNet in {path}",
        _read_folders([path / "train" / name for name in names]),
        _read_folders([path / "val" / name for name in names]),
        names,
    )


def load_domainnet(path: str | Path) -> ImageData:
    """DomainNet: six domains, from real to clipart, that share 345 classes.

    Args:
        path: Folder that holds, for each domain, a folder of images and the lists
            ``<domain>_train.txt`` and ``<domain>_test.txt``.

    Raises:
        FileNotFoundError: If the folder or a list of a domain is not there.
        ValueError: If a list is empty or damaged, or the classes do not fit.
    """
    path = Path(path)
    needed = [
        domain + end for domain in DOMAINS for end in ("", "_train.txt", "_test.txt")
    ]
    missing = [name for name in needed if not (path / name).exists()]
    if missing:
        raise FileNotFoundError(
            f"{path} lacks {', '.join(missing)}: data.path must hold the folder and "
            f"the two lists of each domain of DomainNet ({', '.join(DOMAINS)})"
        )
    train, test = _read_lists(path, "train"), _read_lists(path, "test")
    pairs = zip(train.targets, train.paths, strict=True)
    classes = sorted({(number, file.split("/")[-2]) for number, file in pairs})
    return ImageData.from_images(
        f"DomainNet in {path}", train, test, [name for _, name in classes], DOMAINS
    )


def _read_folders(folders: list[Path]) -> FileImages:
    """Images of one folder for each class."""
    files = [sorted(folder.glob("*.JPEG")) for folder in folders]
    empty = [
        str(folder) for folder, each in zip(folders, files, strict=True) if not each
    ]
    if empty:
        raise FileNotFoundError(
            f"there are no .JPEG images in {', '.join(empty)}: data.path must hold "
            "train/<wnid> and val/<wnid> for each class in the list"
        )
    return FileImages(
        [file for each in files for file in each],
        [number for number, each in enumerate(files) for _ in each],
    )


def _read_lists(path: Path, split: str) -> FileImages:
    """Images that one list for each domain names, with their class numbers."""
    paths, targets, domains = [], [], []
    for domain, name in enumerate(DOMAINS):
        file = path / f"{name}_{split}.txt"
        for line in _read_lines(file):
            image, _, target = line.rpartition(" ")
            if not (image and target.isdecimal()):
                raise ValueError(
                    f"{file} is damaged: '{line}' is not a path and a class number, "
                    "as in 'real/axe/real_011_000001.jpg 10'"
                )
            paths.append(f"{path}/{image}")
            targets.append(int(target))
            domains.append(domain)
    return FileImages(paths, targets, domains)


def _read_lines(file: Path) -> list[str]:
    """Lines of a text file without comments; blank ones are left out."""
    # Bytes that are no text stay as marks, so that errors show the line they are in.
    text = file.read_text(encoding="utf-8", errors="replace")
    stripped = [line.partition("#")[0].strip() for line in text.splitlines()]
    lines = [line for line in stripped if line]
    if not lines:
        raise ValueError(f"{file} is empty: restore it, it must have an entry a line")
    return lines
