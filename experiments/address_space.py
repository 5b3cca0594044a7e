"""A check that the libraries fit into the address space."""

import sys
from importlib import import_module

NEEDED = 6 * 10**9
"""Bytes needed; 4.3 GB were measured, most of them for PyTorch's libraries."""


def check_address_space() -> None:
    """Refuse a limit of the address space that is too small for the libraries.

    Raises:
        SystemExit: If it is too small, with what to do.
    """
    try:
        from resource import RLIM_INFINITY, RLIMIT_AS, getrlimit
    except ImportError:  # Windows has no such limit
        return
    limit, _ = getrlimit(RLIMIT_AS)
    if limit == RLIM_INFINITY or limit >= NEEDED:
        return
    try:
        for library in ("torch", "torchvision", "avalanche.training"):
            import_module(library)
    except (ImportError, MemoryError, OSError, RuntimeError, SystemError) as error:
        reason = str(error) or type(error).__name__
        sys.exit(
            f"error: the address space is limited to {limit / 1e9:.1f} GB, which is "
            f"too little to start ({reason}): raise the limit (ulimit -v, or the "
            f"virtual memory of a scheduler) to {NEEDED / 1e9:.0f} GB, or remove it"
        )
