"""Errors and warnings for users of the command line: a sentence or a line each."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm


def sentence(error: BaseException) -> str:
    """Return the message of an error, without what its way here has put around it."""
    text = str(error).strip() or repr(error)
    if not text.startswith("Caught "):
        return text
    # From a data loader's process there comes a traceback, the message at its end.
    name = f"{type(error).__module__}.{type(error).__qualname__}: "
    return text.splitlines()[-1].removeprefix(name)


def warning_line(message: Warning | str) -> str:
    """A warning as one line, without the place in the program that it comes from."""
    return f"warning: {' '.join(str(message).split())}"


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Show each warning as one line above any progress bar, and the same line once."""
    before, shown = warnings.showwarning, set[str]()

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        if (line := warning_line(message)) not in shown:
            shown.add(line)
            tqdm.write(line, file=sys.stderr)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before


@contextmanager
def explain_dead_worker() -> Iterator[None]:
    """Explain that a process that loads images has died.

    Raises:
        ChildProcessError: Instead of PyTorch's error.
    """
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        raise ChildProcessError(
            f"a process that loads images has died ({str(error).strip()}): memory may "
            "be short, lower workers"
        ) from error


@contextmanager
def explain_full_device() -> Iterator[None]:
    """Explain how to do with less memory of a GPU.

    Raises:
        ValueError: Instead of PyTorch's error.
    """
    from torch import OutOfMemoryError  # here, since help does without

    try:
        yield
    except OutOfMemoryError as error:
        raise ValueError(
            f"the device has too little memory ({str(error).splitlines()[0]}): lower "
            "batch_size or image_size, or choose another device"
        ) from error
