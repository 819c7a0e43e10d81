"""How much time a page asks of its reader: computed, and said below its title.

Words and displayed formulas of the main text are counted; tables, captions, cells, exercises and folded
boxes are not.  The seconds are those that the build measured.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

WORDS_A_MINUTE = 150  # of a text with formulas
MINUTES_A_FORMULA = 4  # to derive a displayed formula with a pencil
ASIDE = {"cell", "dropdown", "toggle", "question", "exercise", "solution", "seealso", "bibliography"}
MEASURED = "executed.json"  # what book/_build.py writes beside the site


def counts(document: nodes.Node) -> tuple[int, int]:
    """Words and displayed formulas of the main text."""
    words = formulas = 0
    todo = [document]
    while todo:
        node = todo.pop()
        if isinstance(node, (nodes.table, nodes.figure, nodes.comment, nodes.literal_block)):
            continue
        if isinstance(node, nodes.Element):
            kinds = {*node.get("classes", ()), type(node).__name__.split("_")[0]}
            if kinds & ASIDE:
                continue
            if isinstance(node, nodes.math_block):
                formulas += 1
                continue
            if isinstance(node, (nodes.paragraph, nodes.title, nodes.term)):
                words += len(node.astext().split())
                continue
        todo += node.children
    return words, formulas


def many(number: float, unit: str) -> str:
    return f"{number:g} {unit}{'s' * (number != 1)}"


def times(words: int, formulas: int, seconds: float | None) -> str:
    """What the page says."""
    said = [f"To read: {many(max(round(words / WORDS_A_MINUTE), 1), 'minute')}"]
    half_hours = round(formulas * MINUTES_A_FORMULA / 30)
    if half_hours:
        said.append(f"with a pencil: {many(half_hours / 2, 'hour') if half_hours > 1 else 'half an hour'}")
    if seconds is not None:
        said.append(f"to run: {many(max(round(seconds), 1), 'second')}")
    return ", ".join(said) + "."


def say(app: Sphinx, document: nodes.document, page: str) -> None:
    """Put the times of a chapter below its title."""
    if not app.env.nb_metadata[page].get("exec_data"):
        return
    measured = Path(app.outdir).parent / MEASURED
    known = json.loads(measured.read_text("utf-8")) if measured.exists() else {}
    seconds = known.get(str(Path(app.env.doc2path(page))), {}).get("seconds")
    title = next(document.findall(nodes.title))
    line = nodes.paragraph("", "", nodes.emphasis(text=times(*counts(document), seconds)), classes=["effort"])
    title.parent.insert(title.parent.index(title) + 1, line)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-resolved", say)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
