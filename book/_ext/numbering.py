"""Numbers that stay when the book grows.

A chapter is counted within its part and bears the initial of the part: N3 is the third chapter of *Noisy
chains*.  An appendix bears a letter instead, NA, and is not counted.  Sections, figures, equations, theorems
and exercises follow, so nothing shifts when a part is inserted before, or an appendix anywhere.
"""

from __future__ import annotations

from itertools import count
from string import ascii_uppercase
from typing import Any

from docutils import nodes
from sphinx.addnodes import toctree
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError


def numbers(parts: list[tuple[str, list[str]]]) -> dict[str, str]:
    """The number of each page, given the captions of the parts and their pages.

    Raises
    ------
    ExtensionError
        If two parts begin with the same letter.
    """
    found: dict[str, str] = {}
    initials = [caption[0] for caption, _ in parts]
    if len(set(initials)) < len(parts):
        raise ExtensionError(f"parts begin with {', '.join(initials)}; allowed: letters of their own")
    for initial, (_, pages) in zip(initials, parts, strict=True):
        chapters, appendices = count(1), iter(ascii_uppercase)
        for page in pages:
            appendix = page.rpartition("/")[2].startswith("appendix-")
            found[page] = f"{initial}{next(appendices if appendix else chapters)}"
    return found


def renumber(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Put these numbers in front, where Sphinx has counted the chapters through all parts.

    LaTeX counts by itself.
    """
    if app.builder.format != "html":
        return []
    trees = [tree for tree in env.get_doctree(env.config.root_doc).findall(toctree) if tree.get("numbered")]
    parts = [(tree["caption"], [page for _, page in tree["entries"]]) for tree in trees]
    for page, number in numbers(parts).items():
        counted = [env.toc_secnumbers[page], *env.toc_fignumbers.get(page, {}).values()]
        for known in counted:
            known.update({place: (number, *rest) for place, (_, *rest) in known.items()})
        for node in (env.titles[page], *env.tocs[page].findall(nodes.reference)):
            node["secnumber"] = [number, *node["secnumber"][1:]]
    return []  # pages to be written again: all are new


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("env-get-updated", renumber, priority=900)  # when all have counted
    return {"parallel_read_safe": True, "parallel_write_safe": True}
