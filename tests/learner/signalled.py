"""The command ``avalanche-pnr``, to which a signal comes at a pause of its training.

``python -m tests.learner.signalled NUMBER PAUSE argument...`` sends it to itself before
that pause: a sender from outside would be late on a busy machine, and need a training
that is long enough for it.
"""

import os
import sys
from itertools import count
from typing import Any

from avalanche_pnr.learner.command import main
from avalanche_pnr.runs.periodic_save import PeriodicSave

if __name__ == "__main__":
    signal_number, pause = map(int, sys.argv[1:3])
    checkpoint, number = PeriodicSave.checkpoint, count(1)

    def signalled(self: PeriodicSave[Any], training: Any) -> None:
        if next(number) == pause:
            os.kill(os.getpid(), signal_number)
        checkpoint(self, training)

    PeriodicSave.checkpoint = signalled  # type: ignore[method-assign]
    main(sys.argv[3:])
