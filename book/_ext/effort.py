"""How much time a page asks of its reader: computed, and said below its title.

What is read is counted: words, formulas, figures, quick questions, rows of tables and visible lines of code,
but neither what is folded nor exercises.  These state minutes of their own, which are added up.  The seconds
are those that the build measured; ``{page-times}`` is the table of them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx_external_toc.parsing import parse_toc_yaml

# Minutes to read a word of a text with formulas; a displayed formula; a figure or slider with its caption, or
# a question with its answer; a row of a table; a line of code
TO_READ = {"words": 1 / 150, "formulas": 1 / 2, "figures": 1, "questions": 1, "rows": 1 / 20, "lines": 1 / 20}
MINUTES_A_FORMULA = 4  # to derive a displayed formula with a pencil
ASIDE = {
    "HideCodeCellNode",
    "dropdown",
    "toggle",
    "exercise",
    "solution",
    "seealso",
    "bibliography",
    "comment",
}
MEASURED = "executed.json"  # what book/_build.py writes beside the site


def counts(document: nodes.Node) -> Counter[str]:
    """How much the main text has of each kind in `TO_READ`."""
    found: Counter[str] = Counter()
    todo = [document]
    while todo:
        node = todo.pop()
        if not isinstance(node, nodes.Element):
            continue
        kinds = {*node.get("classes", ()), type(node).__name__.split("_")[0]}
        if kinds & ASIDE:
            continue
        if isinstance(node, nodes.figure):
            found["figures"] += 1
        elif "question" in kinds:
            found["questions"] += 1
        elif isinstance(node, nodes.row):
            found["rows"] += 1
        elif isinstance(node, nodes.literal_block):
            found["lines"] += len(node.astext().splitlines())
        elif isinstance(node, nodes.math_block):
            found["formulas"] += 1
        elif isinstance(node, (nodes.paragraph, nodes.title, nodes.term)):
            found["words"] += len(node.astext().split())
        else:
            todo += node.children
    return found


def minutes(document: nodes.Node) -> tuple[int, int]:
    """The minutes that the exercises of a page ask for, and those of them that are for assignment."""
    every = assigned = 0
    for node in document.findall(nodes.Element):
        text = node.astext() if "exercise" in node.get("classes", ()) else ""
        if stated := re.search(r"(\d+) minutes\b", text):
            every += int(stated[1])
            assigned += int(stated[1]) * ("For assignment" in text)
    return every, assigned


def many(number: float, unit: str) -> str:
    return f"{number:g} {unit}{'s' * (number != 1)}"


def rough(time: float) -> str:
    """Minutes in words, to a quarter of an hour."""
    hours, quarters = divmod(max(round(time / 15), 1), 4)
    if not hours:
        return f"{15 * quarters} minutes"
    return f"{hours}{['', '¼', '½', '¾'][quarters]} hour{'s' * (hours + quarters > 1)}"


def times(found: Mapping[str, int], exercises: tuple[int, int], seconds: float | None) -> str:
    """What the page says, given what is counted in it and the minutes of its exercises."""
    reading = sum(found.get(kind, 0) * time for kind, time in TO_READ.items())
    said = [f"To read: {max(5 * round(reading / 5), 5)} minutes"]
    if formulas := found.get("formulas", 0):
        said.append(f"to derive its formulas: {rough(formulas * MINUTES_A_FORMULA)}")
    every, assigned = exercises
    if every:
        share = f" ({rough(assigned)} of it for assignment)" if assigned else ""
        said.append(f"exercises: {rough(every)}{share}")
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
        "", "", nodes.emphasis(text=times(counts(document), minutes(document), seconds)), classes=["effort"]
    )
    title.parent.insert(title.parent.index(title) + 1, line)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-resolved", say)
    app.add_directive("page-times", PageTimes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
