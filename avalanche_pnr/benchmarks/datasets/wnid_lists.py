"""Lists of classes: of ImageNet-100, or of the user's own."""

from collections import Counter
from importlib import resources
from pathlib import Path

from avalanche_pnr.benchmarks.reading.text_lists import read_lines

NAMED = ("cmc", "kaggle")
"""Lists of ImageNet-100 that come with the package."""


def read_class_list(classes: str | Path) -> list[str]:
    """Read the names of classes, in the order of their list.

    Args:
        classes: ``"cmc"`` (Tian et al. 2020, arXiv 1906.05849) or ``"kaggle"`` for one
            of the usual lists of ImageNet-100, or a text file with one wnid a line;
            ``#`` begins a comment.

    Raises:
        FileNotFoundError: If there is no such list.
        ValueError: If the list is empty or names a class twice.
    """
    if classes in NAMED:
        folder = resources.files("avalanche_pnr.benchmarks.datasets") / "class_lists"
        return read_lines(folder / f"imagenet100_{classes}.txt", comment="#")
    file = Path(classes).expanduser()
    if not file.is_file():
        raise FileNotFoundError(
            f"{file} does not exist: classes must be {' or '.join(NAMED)}, or name a "
            "text file with one wnid a line"
        )
    names = read_lines(file, comment="#")
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ValueError(
            f"{file} names {', '.join(twice)} more than once: keep one line for each "
            "class"
        )
    return names
