"""Messages from the process of one seed to the command that started it."""

import os
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Self, TextIO

from avalanche_pnr.runs.failures import warning_line


@dataclass(frozen=True)
class Begun:
    """Training begins: all checks have passed.

    Attributes:
        epochs: Total number of epochs.
    """

    epochs: int


@dataclass(frozen=True)
class Advanced:
    """Some further epochs are done."""

    epochs: int


@dataclass(frozen=True)
class Skipped:
    """Some epochs were done by an earlier process."""

    epochs: int


@dataclass(frozen=True)
class Said:
    """A line to print above the progress bar."""

    text: str


@dataclass(frozen=True)
class Warned:
    """A warning, which other seeds may give as well."""

    text: str


@dataclass(frozen=True)
class Failed:
    """The run has ended with an error of data or settings."""

    sentence: str


Message = Begun | Advanced | Skipped | Said | Warned | Failed


class MessageSender:
    """Sends messages to the command; if that has ended, asks this process to end.

    Args:
        connection: Connection to the command.
        command: The number of its process.
    """

    def __init__(self, connection: Connection, command: int) -> None:
        self.connection = connection
        self.command = command

    def send(self, message: Message) -> None:
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
        """Send a warning; replaces ``warnings.showwarning``."""
        self.send(Warned(warning_line(message)))


class RemoteBar:
    """The progress of one seed, shown by the command in its bar.

    Args:
        sender: Sender of messages to the command.
        total: Total number of epochs.
    """

    def __init__(self, sender: MessageSender, total: int) -> None:
        self.sender = sender
        self.n, self.total = 0, total

    def __enter__(self) -> Self:
        self.sender.send(Begun(self.total))
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing: the bar belongs to the command."""

    def update(self, n: int = 1) -> None:
        """Advance by some epochs."""
        self.n += n
        self.sender.send(Advanced(n))

    def skip(self, n: int) -> None:
        """Count epochs of an earlier process."""
        self.n += n
        self.sender.send(Skipped(n))

    def set_description(self, desc: str) -> None:
        """Do nothing: the bar of several seeds does not describe each."""

    def set_postfix_str(self, s: str, refresh: bool) -> None:
        """Do nothing, likewise."""

    def write(self, s: str) -> None:
        """Print a line that stays."""
        self.sender.send(Said(s))
