"""``ensue train FAMILY --help``: every setting of the family, the data and the training."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table


def print_family_help(words: Sequence[str], console: Console) -> bool:
    """Print the settings that ``train`` takes for a family, if the words ask for them."""
    asked = {"--help", "-h"} & set(words)
    others = [w for w in words if w not in asked]
    if not asked or len(others) < 2 or others[0] != "train" or others[1].startswith("-"):
        return False
    # Other help answers without torch, which the settings of a family import.
    from ensue.configuration import settings, type_name
    from ensue.runs.plan import section_classes

    console.print(f"Usage: ensue train {others[1]} DATA --out RUN [--recipe NAME] [SETTINGS]\n")
    for section, cls in section_classes(others[1]).items():
        table = Table("setting", "type", "default", "meaning", title=section, title_justify="left")
        for s in settings(cls):
            default = "none" if s.default is None else str(s.default).lower()
            option = f"--{s.name.replace('_', '-')}"
            table.add_row(option, type_name(s.type), default, s.help)
        console.print(table)
    return True
