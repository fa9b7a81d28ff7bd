"""The command line: parsing and messages; the commands themselves are in ``ensue.verbs``."""

from ensue.cli.main import entry, main

__all__ = ["entry", "main"]
