"""What pages needn't repeat: the commands and the settings, from the functions and dataclasses."""

import importlib
import re

from benchmarks.table import TABLES
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from ensue.cli.main import make_app
from ensue.configuration import settings, type_name

ANY_SETTING = re.compile(r"\* `--\[KEYWORD\] STR`: .*")


class Commands(SphinxDirective):
    """Every command with its options: what ``ensue COMMAND --help`` says."""

    def run(self) -> list[nodes.Node]:
        text = make_app().generate_docs(output_format="markdown", heading_level=1)
        _, *sections = re.split(r"^## (?=ensue )", text, flags=re.MULTILINE)
        return self.parse_text_to_nodes(
            "\n".join(f"## {_cleaned(s)}" for s in sections), allow_section_headings=True
        )


class Settings(SphinxDirective):
    """The settings of a configuration class: ``{settings} ensue.models.cpc.CPCConfig``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        module, _, name = self.arguments[0].rpartition(".")
        cls = getattr(importlib.import_module(module), name)
        rows = [
            f"| `{s.name}` | {_code(type_name(s.type))} | `{_default(s.default)}` | {s.help} |"
            for s in settings(cls)
        ]
        head = ["| setting | type | default | meaning |", "|---|---|---|---|"]
        found = self.parse_text_to_nodes("\n".join([*head, *rows]))
        return [nodes.container("", *found, classes=["settings"])]


class Measured(SphinxDirective):
    """A table of ``benchmarks/results`` by its name."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(TABLES[self.arguments[0]]())


def _cleaned(section: str) -> str:
    """Settings, which cyclopts can't know, by their own page; not how Sphinx was called."""
    section = section.replace(" -m sphinx", "")
    there = "* `--NAME VALUE`: Any setting; see [the settings](settings.md)."
    return ANY_SETTING.sub(there, section).replace("STR|PATH", "PATH")


def _code(name: str) -> str:
    return " or ".join(f"`{part}`" for part in name.split("|"))


def _default(value: object) -> str:
    if value in (None, ()):
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("commands", Commands)
    app.add_directive("settings", Settings)
    app.add_directive("measured", Measured)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
