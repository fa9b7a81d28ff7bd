"""The code of a page: its fenced blocks in order, each with what the page tells the tests.

A page speaks to the tests in HTML comments, on lines of their own before a block::

    <!-- test: begins with my_recordings, runs/mine -->     what lies in the folder at first
    <!-- test: reads "--max-steps 300" as "--max-steps 3" --> a smaller setting in this block
    <!-- test: skip: needs two processes -->                not run, and why
    <!-- test: prints -->                                   the block is what the last one printed
    <!-- test: prints in earnest -->                        the same, where nothing was made smaller
    <!-- test: said by train ... -->                        the error of the command, one a line
    <!-- test: install -->                                  the pyproject.toml of a package
    <!-- test: warns -->                                    the block gives a warning
    <!-- test: file my_encoders.py -->                      the block is a file, not a program
"""

import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^( *)```([^`\n]*)\n(.*?)^\1```$", flags=re.DOTALL | re.MULTILINE)
MARK = re.compile(r"<!-- test: (.*?) -->", flags=re.DOTALL)
READS = re.compile(r'reads "(.*?)" as "(.*?)"')


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the line where it stands, and its marks."""

    language: str
    text: str
    line: int
    marks: tuple[str, ...]

    def mark(self, name: str) -> str | None:
        """What follows the word in the mark that begins with it, or None."""
        found = (m.removeprefix(name).strip(" :") for m in self.marks if m.startswith(name))
        return next(found, None)

    def smaller(self) -> "Block":
        """The block as the tests read it; a mark that fits nothing is an error of the page."""
        text = self.text
        for mark in self.marks:
            for old, new in READS.findall(mark):
                assert old in text, f"line {self.line}: there is no {old!r} to read as {new!r}"
                text = text.replace(old, new)
        return Block(self.language, text, self.line, self.marks)


def blocks_of(page: Path) -> list[Block]:
    """All blocks of a page; marks belong to the next block."""
    text, end, found = page.read_text(), 0, []
    for fence in FENCE.finditer(text):
        marks = tuple(MARK.findall(text[end : fence.start()]))
        line = text[: fence.start()].count("\n") + 1
        found.append(Block(fence[2], fence[3], line, marks))
        end = fence.end()
    return found


def begins_with(page: Path) -> list[str]:
    """What the page takes for granted in the reader's folder."""
    found = re.search(r"<!-- test: begins with (.*?) -->", page.read_text())
    return found[1].split(", ") if found else []


def commands(block: Block) -> list[str]:
    """The commands of a shell block, one a line; a backslash goes on in the next line."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
