"""``python -m ensue``."""

from ensue.cli import entry

if __name__ == "__main__":
    entry()
