"""Data sets in the form of Hugging Face's library ``datasets``."""

from pathlib import Path
from typing import Any

from avalanche_pnr.benchmarks.reading.image_data import ImageData

TESTS = ("test", "validation", "valid", "val")
SAVED = ("dataset_dict.json", "state.json")
"""Files in a folder written by ``save_to_disk``."""


def load_huggingface(
    path: str,
    config: str | None = None,
    *,
    train_split: str = "train",
    test_split: str | None = None,
    image: str | None = None,
    label: str | None = None,
    test_fraction: float = 0.2,
    seed: int = 0,
    check_duplicates: bool = False,
) -> ImageData:
    """Load images and classes of two splits of a data set of Hugging Face.

    Classes given as text are numbered in the order of their names.

    Args:
        path: Name of the data set (``"uoft-cs/cifar100"``), or a folder: one that
            ``save_to_disk`` wrote, or any that ``load_dataset`` reads; ``~`` is the
            user's home.
        config: Which of several configurations the data set comes in.
        train_split: Split to train on.
        test_split: Split to test on; by default ``test`` or ``validation``, without
            either a part of the training split is held out.
        image: As for :meth:`ImageData.from_datasets`.
        label: As for :meth:`ImageData.from_datasets`.
        test_fraction: Fraction held out where there is no test split.
        seed: Seed of the choice of held-out images.
        check_duplicates: As for :meth:`ImageData.from_datasets`.

    Raises:
        FileNotFoundError: If there is no such data set, or it cannot be reached.
        ImportError: If ``datasets`` is not installed.
        ValueError: If there is no such split, or as ``from_datasets`` does.
    """
    splits = _load(path, config)
    source = f"data set {path}"
    train = _split(source, splits, train_split)
    if test_split is None:
        test_split = next((name for name in TESTS if name in splits), None)
    if test_split is None:
        halves = train.train_test_split(test_fraction, seed=seed)
        train, test = halves["train"], halves["test"]
    else:
        test = _split(source, splits, test_split)
    train, test = _numbered(train, test, label or "label")
    return ImageData.from_datasets(
        source,
        train,
        test,
        image=image,
        label=label,
        check_duplicates=check_duplicates,
    )


def _load(path: str, config: str | None) -> Any:
    """Every split by its name."""
    try:
        import datasets
    except ImportError as error:
        raise ImportError(
            "data=huggingface needs datasets: pip install 'avalanche-pnr[huggingface]'"
        ) from error
    folder = Path(path).expanduser()
    try:
        if any((folder / name).is_file() for name in SAVED):
            loaded = datasets.load_from_disk(str(folder))
        else:
            place = str(folder) if folder.is_dir() else path
            loaded = datasets.load_dataset(place, config)
    except Exception as error:  # of the library, the network, the data set's files
        raise FileNotFoundError(
            f"the data set {path} cannot be loaded ({error}): data.path must be the "
            "name of one that can be reached, or a folder"
        ) from error
    return loaded if isinstance(loaded, dict) else {"train": loaded}


def _split(source: str, splits: Any, name: str) -> Any:
    if name not in splits:
        raise ValueError(
            f"{source} has no split {name}, only {', '.join(splits)}: name one with "
            "train_split= and test_split= (data.train_split=, data.test_split=)"
        )
    return splits[name]


def _numbered(train: Any, test: Any, label: str) -> tuple[Any, Any]:
    """Both splits, with numbers for classes given as text."""
    from datasets import ClassLabel

    column = train.features.get(label)
    if getattr(column, "dtype", None) not in ("string", "large_string"):
        return train, test
    names = ClassLabel(names=sorted({*train.unique(label), *test.unique(label)}))
    return train.cast_column(label, names), test.cast_column(label, names)
