"""The command line: parsing and messages; what a command does is in ``ensue.verbs``."""

from ensue.cli.main import entry, main

__all__ = ["entry", "main"]
