"""Which process of a run this is, as torchrun or Lightning tell by the environment."""

import os


def rank() -> int:
    """Of this process among all; 0 where there is only one."""
    names = ("RANK", "LOCAL_RANK")
    return next((int(os.environ[name]) for name in names if name in os.environ), 0)


def is_main() -> bool:
    """Whether this process is the one that writes files and talks."""
    return rank() == 0
