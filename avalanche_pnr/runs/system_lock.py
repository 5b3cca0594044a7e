"""The operating system's lock on a file: it ends with the process that holds it."""

import errno
import os
import sys
import time
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


TAKEN = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}
"""Error numbers of systems where another process holds the lock."""
NO_LOCKS = {
    errno.ENOSYS,
    errno.ENOLCK,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.EINVAL,
    errno.EBADF,
}
"""Error numbers of file systems without locks, network drives among them."""
TRIES, PAUSE = 5, 0.005
"""Attempts and pause in seconds: a check whether a lock is held holds it briefly."""

_held: set[int] = set()


class NoLocksError(OSError):
    """Raised on file systems that have no locks."""


class SystemLock:
    """A lock that one process of this machine holds until it ends or releases it.

    On network drives that pass locks on, it is one process of all machines. Processes
    forked meanwhile do not hold it. With ``filelock`` they would, and on a file system
    without locks it relies on the age of the file and the number of a process.

    Args:
        path: The file that is locked; it is created, and removed when the lock is
            released.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def acquire(self) -> bool:
        """Take the lock.

        Returns:
            True if it was taken; False if another process holds it.

        Raises:
            NoLocksError: If the file system has no locks.
            OSError: If the file cannot be written.
        """
        for _ in range(TRIES):
            self._file = self._locked(os.O_RDWR | os.O_CREAT)
            if self._file is not None:
                _held.add(self._file)
                return True
            time.sleep(PAUSE)
        return False

    def release(self) -> None:
        """Release the lock."""
        if self._file in _held:  # a process forked meanwhile has none
            if sys.platform != "win32" and self._is_at_path(self._file):
                self.path.unlink()
            _held.remove(self._file)
            os.close(self._file)
        self._file = None

    def is_held(self) -> bool:
        """Return whether a process holds the lock; nothing is written.

        Raises:
            NoLocksError: If the file system has no locks.
        """
        try:
            file = self._locked(os.O_RDWR)
        except FileNotFoundError:
            return False
        if file is not None:
            os.close(file)
        return file is None

    def _locked(self, flags: int) -> int | None:
        """Open and lock the file; ``None`` if another process holds it."""
        file = os.open(self.path, flags, 0o666)
        try:
            _lock(file)
            # Its holder may have removed it between these two lines.
            if self._is_at_path(file):
                return file
        except OSError as error:
            if error.errno in NO_LOCKS:
                os.close(file)
                raise NoLocksError(error.errno, error.strerror) from error
            if error.errno not in TAKEN:
                os.close(file)
                raise
        os.close(file)
        return None

    def _is_at_path(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), self.path.stat())
        except FileNotFoundError:
            return False


def _close_in_child() -> None:
    for file in _held:
        os.close(file)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
