"""What the process of one seed tells the command that has started it."""

import os
import signal
import warnings
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Self, TextIO


@dataclass(frozen=True)
class Begun:
    """Training begins: all was found to be right.

    Attributes:
        epochs: How many there are in all.
    """

    epochs: int


@dataclass(frozen=True)
class Advanced:
    """Some epochs more are done."""

    epochs: int


@dataclass(frozen=True)
class Said:
    """A line that stays above the progress bar."""

    text: str


@dataclass(frozen=True)
class Warned:
    """A warning, which other seeds may give as well."""

    text: str


@dataclass(frozen=True)
class Failed:
    """The run has ended with an error that is expected of data and settings."""

    sentence: str


Message = Begun | Advanced | Said | Warned | Failed


class Mouth:
    """Tells the command what happens; if that is no more, asks this process to end.

    Args:
        connection: To the command.
        command: The number of its process.
    """

    def __init__(self, connection: Connection, command: int) -> None:
        self.connection = connection
        self.command = command

    def tell(self, message: Message) -> None:
        """Send a message."""
        # A pipe does not break while forked processes have its other end as well.
        if os.getppid() == self.command:
            self.connection.send(message)
        else:  # the command was killed: save, as if told to
            os.kill(os.getpid(), signal.SIGTERM)

    def warn(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        """Tell of a warning; what ``warnings.showwarning`` becomes."""
        text = warnings.formatwarning(message, category, filename, lineno, line)
        self.tell(Warned(text.rstrip()))


class RemoteBar:
    """The progress of one seed, shown by the command in its bar.

    Args:
        mouth: Tells the command.
        total: Epochs in all.
    """

    def __init__(self, mouth: Mouth, total: int) -> None:
        self.mouth = mouth
        self.n, self.total = 0, total

    def __enter__(self) -> Self:
        self.mouth.tell(Begun(self.total))
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the bar to the command."""

    def update(self, n: int = 1) -> None:
        """Advance by some epochs."""
        self.n += n
        self.mouth.tell(Advanced(n))

    def set_description(self, desc: str) -> None:
        """The bar of several seeds says none of what each is at."""

    def set_postfix(self, *, refresh: bool, loss: str) -> None:
        """Nor how it goes."""

    def write(self, s: str) -> None:
        """Say something that stays."""
        self.mouth.tell(Said(s))
