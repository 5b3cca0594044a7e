"""Runs modules as ``python -m`` does, and writes down what they connect to and start.

``python -m tests.watched LOG '[["module", "argument", ...], ...]'``
"""

import json
import runpy
import sys
from typing import Any

CONNECTING = {"socket.connect", "socket.sendto"}
STARTING = {"subprocess.Popen", "os.posix_spawn", "os.system"}


def main(log: str, commands: str) -> None:
    def watch(event: str, args: tuple[Any, ...]) -> None:
        if event in CONNECTING and not isinstance(args[1], str | bytes):  # no file
            note("connects", args[1])
        if event == "socket.getaddrinfo":
            note("connects", args[0])
        if event in STARTING:
            note("starts", args[0])

    def note(what: str, whom: object) -> None:
        with open(log, "a") as lines:
            lines.write(f"{what} {whom}\n")

    sys.addaudithook(watch)
    for module, *arguments in json.loads(commands):
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
