"""Images that text files list with their classes, one file for each domain."""

from collections.abc import Mapping
from pathlib import Path

from avalanche_pnr.benchmarks.reading.file_images import FileImages
from avalanche_pnr.benchmarks.reading.text_lists import read_lines


def read_image_lists(
    root: Path, lists: Mapping[str, Path], first_class: int = 0
) -> FileImages:
    """Read the images that one list for each domain names, with their class numbers.

    Args:
        root: Folder that the paths in the lists begin in.
        lists: The list of each domain, in the order of the domains. A line is a path
            and a class number, as in ``real/axe/real_011_000001.jpg 10``.
        first_class: Number of the first class in the lists; it becomes 0.

    Raises:
        ValueError: If a list is empty or damaged.
    """
    paths, targets, domains = [], [], []
    for domain, file in enumerate(lists.values()):
        for line in read_lines(file):
            image, _, target = line.rpartition(" ")
            if not (image and target.isdecimal()):
                raise ValueError(
                    f"{file} is damaged: '{line}' is not a path and a class number, "
                    "as in 'real/axe/real_011_000001.jpg 10'"
                )
            paths.append(f"{root}/{image}")
            targets.append(int(target) - first_class)
            domains.append(domain)
    return FileImages(paths, targets, domains)


def folder_class_names(images: FileImages) -> list[str]:
    """Name the folder that the images of each class lie in, by class number.

    There is more than one name for a class whose images lie in several folders.
    """
    pairs = zip(images.targets, images.paths, strict=True)
    return [name for _, name in sorted({(y, path.split("/")[-2]) for y, path in pairs})]
