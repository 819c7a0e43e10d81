"""How much time a page asks of its reader: computed, and said below its title.

Words and displayed formulas of the main text are counted; tables, captions, cells, exercises and folded
boxes are not.  Exercises state minutes of their own, which are added up.  The seconds are those that the
build measured; ``{page-times}`` is the table of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx_external_toc.parsing import parse_toc_yaml

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


def minutes(document: nodes.Node) -> int:
    """The minutes that the exercises of a page ask for, as far as they say so."""
    texts = [
        node.astext() for node in document.findall(nodes.Element) if "exercise" in node.get("classes", ())
    ]
    return sum(int(stated[1]) for text in texts if (stated := re.search(r"(\d+) minutes\b", text)))


def many(number: float, unit: str) -> str:
    return f"{number:g} {unit}{'s' * (number != 1)}"


def times(words: int, formulas: int, exercises: int, seconds: float | None) -> str:
    """What the page says, given the minutes of its exercises."""
    said = [f"To read: {many(max(round(words / WORDS_A_MINUTE), 1), 'minute')}"]
    for what, time in (("with a pencil", formulas * MINUTES_A_FORMULA), ("exercises", exercises)):
        if half_hours := round(time / 30):
            said.append(f"{what}: {many(half_hours / 2, 'hour') if half_hours > 1 else 'half an hour'}")
    if seconds is not None:
        said.append(f"to run: {many(max(round(seconds), 1), 'second')}")
    return ", ".join(said) + "."


def seconds_of(app: Sphinx) -> dict[str, float]:
    """The seconds of each page that has been executed here."""
    measured = Path(app.outdir).parent / MEASURED
    known = json.loads(measured.read_text("utf-8")) if measured.exists() else {}
    seconds = {page: known.get(str(app.env.doc2path(page)), {}).get("seconds") for page in app.env.found_docs}
    return {page: spent for page, spent in seconds.items() if spent is not None}


def table(pages: Iterable[str], seconds: dict[str, float]) -> list[str]:
    """The lines of a table of the pages that were executed, in this order."""
    listed = [page for page in pages if page in seconds]
    total = sum(seconds[page] for page in listed)
    rows = [f"| {{doc}}`/{page}` | {seconds[page]:.1f} |" for page in listed]
    return ["| page | seconds |", "|---|---:|", *rows, f"| all of them | {total:.1f} |"]


class PageTimes(SphinxDirective):
    """``{page-times}``: the seconds that each page took when it was executed."""

    def run(self) -> list[nodes.Node]:
        app, container = self.env.app, nodes.container()
        lines = table(parse_toc_yaml(Path(app.srcdir, "_toc.yml")), seconds_of(app))
        self.state.nested_parse(StringList(lines, MEASURED), 0, container)
        return container.children


def say(app: Sphinx, document: nodes.document, page: str) -> None:
    """Put the times of a chapter below its title."""
    if not app.env.nb_metadata[page].get("exec_data"):
        return
    seconds = seconds_of(app).get(page)
    title = next(document.findall(nodes.title))
    line = nodes.paragraph(
        "", "", nodes.emphasis(text=times(*counts(document), minutes(document), seconds)), classes=["effort"]
    )
    title.parent.insert(title.parent.index(title) + 1, line)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-resolved", say)
    app.add_directive("page-times", PageTimes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
