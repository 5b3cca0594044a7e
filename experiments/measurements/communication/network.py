"""Network namespaces as machines, joined by links that can be slow.

They need Linux (``ip netns``, ``tc``), iproute2 and root.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

INTERFACE = "eth0"
"""Name of the network interface of each machine."""

PORT = 29500
"""First port for the rendezvous; each group of machines has its own."""


@contextmanager
def machines(number: int, mbit: float | None = None) -> Iterator[list[list[str]]]:
    """Machines that are joined by a switch, until the block ends.

    Args:
        number: Number of machines.
        mbit: Rate at which each can send, megabits a second; ``None`` for no limit.

    Yields:
        For each machine, the prefix of a command that runs on it.

    Raises:
        PermissionError: If network namespaces are not available.
    """
    switch = f"pnr{os.getpid()}"
    names = [f"{switch}-{k}" for k in range(number)]
    with ExitStack() as stack:
        for name in (switch, *names):
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "del", name)
        _ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge", "up")
        for k, name in enumerate(names):
            _join(name, switch, f"port{k}", address(k))
            if mbit is not None:
                _limit(name, mbit)
        yield [["ip", "netns", "exec", name] for name in names]


def torchrun(prefixes: Sequence[list[str]], *command: str) -> str:
    """Run a module under torchrun, as one process on each machine.

    Args:
        prefixes: Prefix of a command on each machine.
        *command: The module and its arguments.

    Returns:
        The output of the first process.

    Raises:
        RuntimeError: If one fails.
    """
    environment = {"GLOO_SOCKET_IFNAME": INTERFACE, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [
                *(*prefix, sys.executable, "-m", "torch.distributed.run"),
                *(f"--nnodes={len(prefixes)}", f"--node-rank={k}"),
                *(f"--master-addr={address(0)}", f"--master-port={PORT}"),
                *("-m", *command),
            ],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            text=True,
        )
        for k, prefix in enumerate(prefixes)
    ]
    outputs = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise RuntimeError("a process has failed: its error is above")
    return outputs[0]


def address(k: int) -> str:
    """Address of a machine."""
    return f"10.77.0.{k + 1}"


def _join(name: str, switch: str, port: str, address: str) -> None:
    """Join a machine to a port of the switch."""
    peer = ["peer", "name", port, "netns", switch]
    _ip("link", "add", INTERFACE, "netns", name, "type", "veth", *peer)
    _ip("-n", switch, "link", "set", port, "master", "bridge", "up")
    _ip("-n", name, "address", "add", f"{address}/24", "dev", INTERFACE)
    for interface in ("lo", INTERFACE):
        _ip("-n", name, "link", "set", interface, "up")


def _limit(name: str, mbit: float) -> None:
    """Limit the rate at which a machine sends."""
    bucket = ["rate", f"{mbit}mbit", "burst", "128kb", "latency", "50ms"]
    _run("tc", "-n", name, "qdisc", "add", "dev", INTERFACE, "root", "tbf", *bucket)


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or error
        raise PermissionError(
            f"network namespaces are not permitted here ({' '.join(command)}: "
            f"{str(reason).strip()}): run this on Linux as root, with iproute2; "
            "'steps' needs neither"
        ) from error
