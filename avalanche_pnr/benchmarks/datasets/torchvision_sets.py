"""Data sets of torchvision."""

import difflib
import inspect
from pathlib import Path
from typing import Any

from torchvision import datasets
from torchvision.datasets import VisionDataset

from avalanche_pnr.benchmarks.datasets.torchvision_files import (
    PublishedFile,
    are_intact,
    how_to_get,
    published_files,
)
from avalanche_pnr.benchmarks.reading.image_data import ImageData

TRAIN, TEST = "train", "test"


def load_torchvision(
    name: str | type[VisionDataset],
    path: str | Path,
    download: bool = False,
    *,
    train_split: str = TRAIN,
    test_split: str = TEST,
    probe_split: str | None = None,
    check_duplicates: bool = True,
    **options: Any,
) -> ImageData:
    """Load one of torchvision's data sets, such as ``"CIFAR100"`` or ``"SVHN"``.

    Any class of ``torchvision.datasets`` that takes ``train=`` or ``split=`` and has
    samples (image, class) will do. Its published archive is unpacked if it is there.

    Args:
        name: Name of the class, or a class of that kind.
        path: Folder that holds the files as the class expects them, its ``root``.
        download: Whether to fetch the files if they are not there.
        train_split: Name of the split to train on, where the class has names.
        test_split: Name of the split to test on.
        probe_split: Split with labels that probes are fitted to, where ``train_split``
            has none: ``"train"`` for STL10's ``"unlabeled"``.
        check_duplicates: Whether to look for test images that are also in the training
            data, with a warning if there are any; every image is read, which takes
            seconds for the sets that torchvision holds in memory.
        options: Other arguments of the class: ``split="balanced"`` for EMNIST, say.

    Raises:
        FileNotFoundError: If the data is not there and cannot be downloaded.
        ValueError: If there is no such data set, or it is of another kind.
    """
    path = Path(path).expanduser()
    source = _find(name) if isinstance(name, str) else name
    splits = [train_split, test_split] + ([probe_split] if probe_split else [])
    takes = _parameters(source)
    if "download" not in takes and download:
        raise ValueError(f"{source.__name__} cannot be downloaded by torchvision")
    options |= {"root": path}
    arguments = [options | _selection(source, takes, each) for each in splits]
    files = published_files(source, path, splits)
    remedy = how_to_get(files)
    if "download" in takes and not download:
        remedy += ", or set download=True (data.download=true)"
    train, test, *probe = _open(source, arguments, download, files, remedy)
    labelled = probe[0] if probe else train
    return ImageData.from_datasets(
        f"{source.__name__} in {path}",
        train,
        test,
        getattr(labelled, "classes", None),
        probe=probe[0] if probe else None,
        check_duplicates=check_duplicates,
    )


def _find(name: str) -> type[VisionDataset]:
    if name in datasets.__all__:
        source: type[VisionDataset] = getattr(datasets, name)
        return source
    lower = {each.lower(): each for each in datasets.__all__}
    near = difflib.get_close_matches(name.lower(), lower, n=3)
    raise ValueError(
        f"there is no torchvision.datasets.{name}; did you mean "
        f"{' or '.join(lower[each] for each in near) or 'CIFAR100'}?"
    )


def _parameters(source: type[VisionDataset]) -> set[str]:
    """Arguments of a class, with those that it hands on to its bases."""
    names: set[str] = set()
    for each in inspect.getmro(source):
        if "__init__" in vars(each):
            parameters = inspect.signature(each).parameters.values()
            names |= {parameter.name for parameter in parameters}
            if all(each.kind != each.VAR_KEYWORD for each in parameters):
                break
    return names


def _selection(
    source: type[VisionDataset], takes: set[str], split: str
) -> dict[str, Any]:
    """The argument that selects a split."""
    if TRAIN in takes:
        if split not in (TRAIN, TEST):
            raise ValueError(
                f"{source.__name__} has no split '{split}', only '{TRAIN}' and '{TEST}'"
            )
        return {TRAIN: split == TRAIN}
    if "split" in takes:
        return {"split": split}
    raise ValueError(
        f"torchvision.datasets.{source.__name__} comes without training and test "
        "split: make them yourself and use ImageData.from_datasets"
    )


def _open(
    source: type[VisionDataset],
    arguments: list[dict[str, Any]],
    download: bool,
    files: list[PublishedFile],
    remedy: str,
) -> list[Any]:
    """The data set of each split; an intact archive is unpacked first."""
    path = arguments[0]["root"]
    try:
        try:
            return _construct(source, arguments, download)
        except (RuntimeError, OSError):
            if download or not are_intact(files):
                raise
            # With intact files "downloading" is unpacking them.
            return _construct(source, arguments, download=True)
    except ValueError as error:
        raise ValueError(
            f"{source.__name__} in {path}: {error} (its splits are named by "
            "train_split and test_split)"
        ) from error
    except (RuntimeError, OSError, AssertionError) as error:
        raise FileNotFoundError(
            f"{source.__name__} is not usable in {path} ({error}): {remedy}"
        ) from error


def _construct(
    source: type[VisionDataset], arguments: list[dict[str, Any]], download: bool
) -> list[Any]:
    options = {"download": True} if download else {}
    return [source(**each, **options) for each in arguments]
