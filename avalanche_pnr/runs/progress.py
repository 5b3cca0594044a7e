"""Progress of long work: a bar on a terminal, and in a file a line a minute."""

import math
import sys
import threading
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

LINE_SECONDS = 60
"""Seconds between two lines where there is no terminal."""


class Bar(tqdm):
    """A bar with the time left, which leaves nothing behind.

    Where standard error is no terminal, a bar would fill a file with what it overwrites
    on a screen: there it says a line a minute instead.

    It has no thread, as tqdm's bars have: processes are forked beside it.

    Args:
        total: Number of steps.
        unit: What a step is.
        initial: Number of those that are done already.
        desc: What is being done.
        delay: Seconds before a bar is shown.
        say: Shows a line that stays; :meth:`write` by default.
        **options: Further ones of tqdm.
    """

    monitor_interval = 0
    # tqdm's own lock is shared with forked processes: one that is killed while it holds
    # it would block the others for ever.
    _lock = threading.RLock()

    def __init__(
        self,
        total: int,
        unit: str,
        *,
        initial: int = 0,
        desc: str | None = None,
        delay: float = 0,
        say: Callable[[str], None] | None = None,
        **options: Any,
    ) -> None:
        self._has_terminal = sys.stderr.isatty()
        self._say = say or self.write
        self._said = math.inf  # tqdm shows a bar while it is made
        when: dict[str, Any] = {"delay": delay, "file": sys.stderr}
        if not self._has_terminal:  # LINE_SECONDS alone decides
            when = {"mininterval": 0, "file": _Nowhere()}
        super().__init__(
            total=total,
            unit=unit,
            initial=initial,
            desc=desc,
            miniters=1,
            leave=False,
            **when,
            **options,
        )
        if not self.disable:
            self._said = self._time()

    @classmethod
    def write(cls, s: str, file: Any = None, **options: Any) -> None:
        """Print a line that stays, at once: a file may be followed."""
        super().write(s, file=file, **options)
        (file or sys.stdout).flush()

    @property
    def speed(self) -> float:
        """Steps a second since the bar began."""
        seconds: float = max(self._time() - self.start_t, 1e-9)
        return float(self.n - self.initial) / seconds

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the other steps take; ``None`` as long as none was taken."""
        return (self.total - self.n) / self.speed if self.speed else None

    def skip(self, n: int) -> None:
        """Count steps that were taken before, which say nothing about the speed."""
        self.initial += n
        self.last_print_n += n
        self.n += n
        self.refresh()

    def refresh(self, nolock: bool = False, lock_args: Any = None) -> object:
        """Draw the bar; without a terminal, say a line if it is time to."""
        if self._has_terminal or self.disable:
            return super().refresh(nolock, lock_args)
        now = self._time()
        if self.total and now - self._said >= LINE_SECONDS:
            self._said = now
            self._say(self.line())
        return None

    def line(self) -> str:
        """Say in words what the bar shows."""
        # tqdm ends a description with a colon.
        begin = f"{self.desc.removesuffix(': ')}: " if self.desc else ""
        parts = [f"{begin}{self.unit} {self.n} of {self.total}"]
        if self.postfix:
            parts.append(self.postfix)
        if self.seconds_left is not None:
            parts.append(f"{self.seconds_left / 60:.0f} minutes left")
        return ", ".join(parts)

    def close(self) -> None:
        """Clear the bar, also what it showed before its delay."""
        self.clear()
        super().close()


class _Nowhere:
    """A file that keeps nothing.

    It is none of ``io``: the garbage collector may close those before their bar, which
    would fail with the lock of all bars in its hands.
    """

    encoding = "utf-8"

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        """Do nothing."""
