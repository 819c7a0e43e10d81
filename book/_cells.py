"""What a code cell of a page is, for all who read pages as text and do not execute them.

The build executes what myst-nb takes for a cell.  A test holds every page to it that both find the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# After its fence, the options of a cell: a block of YAML, or lines that begin with a colon
CELL = re.compile(
    r"^(?P<fence>`{3,}|~{3,})\{code-cell\}[^\n]*\n"
    r"(?P<options>---\n.*?\n---\n|(?::[^\n]*\n)*)(?P<code>.*?)^(?P=fence)[`~]*$",
    re.MULTILINE | re.DOTALL,
)


def sources(text: str) -> list[str]:
    """The code of each cell of a page."""
    return [cell["code"].strip("\n") for cell in CELL.finditer(text)]


def with_sources(text: str, codes: Sequence[str]) -> str:
    """The page with other code in its cells."""
    pieces, done = [], 0
    for cell, code in zip(CELL.finditer(text), codes, strict=True):
        pieces += [text[done : cell.start("code")], code, "\n"]
        done = cell.end("code")
    return "".join([*pieces, text[done:]])
