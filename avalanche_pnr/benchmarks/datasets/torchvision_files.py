"""The published files of torchvision's data sets, as far as its classes name them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from torchvision.datasets import VisionDataset
from torchvision.datasets.utils import check_integrity


class PublishedFile(NamedTuple):
    """A file that a data set is published as.

    Attributes:
    path: Path at which torchvision looks for it.
        md5: Its checksum.
    url: Address from which torchvision downloads it.
    """

    path: Path
    md5: str
    url: str


def published_files(
    source: type[VisionDataset], path: Path, splits: Sequence[str]
) -> list[PublishedFile]:
    """List the files of a data set; none where its class does not name them.

    Args:
        source: Class of ``torchvision.datasets``.
        path: Folder of the data.
        splits: The splits that are wanted.
    """
    if hasattr(source, "tgz_md5"):  # CIFAR, STL10
        return [PublishedFile(path / source.filename, source.tgz_md5, source.url)]
    if hasattr(source, "split_list"):  # SVHN, USPS
        files = (
            source.split_list[each] for each in splits if each in source.split_list
        )
        return [PublishedFile(path / name, md5, url) for url, name, md5 in files]
    # MNIST, FashionMNIST, KMNIST; EMNIST inherits what is not its own.
    own = vars(source).get("resources", ())
    raw = path / source.__name__ / "raw"
    return [
        PublishedFile(raw / each[0], each[1], source.mirrors[0] + each[0])
        for each in own
        if isinstance(each, tuple)
    ]


def are_intact(files: Sequence[PublishedFile]) -> bool:
    """Return whether there are files and all of them are as published."""
    return bool(files) and all(check_integrity(each.path, each.md5) for each in files)


def how_to_get(files: Sequence[PublishedFile]) -> str:
    """Name the files to get and where to put them, as part of a sentence."""
    if not files:
        return "put its files there as torchvision documents"
    sources = ", ".join(f"{each.path.name} from {each.url}" for each in files)
    return f"put {sources} into {files[0].path.parent}"
