"""The rank of this process in a run, as torchrun or Lightning set it in the environment."""

import os


def rank() -> int:
    """Return the rank of this process; 0 if there is only one."""
    names = ("RANK", "LOCAL_RANK")
    return next((int(os.environ[name]) for name in names if name in os.environ), 0)


def is_main() -> bool:
    """Return whether this process is the one that writes files and prints."""
    return rank() == 0
