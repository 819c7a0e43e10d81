"""The teacher's edition: solutions of the exercises for assignment, each after its exercise.

A solution is a file ``book/solutions/<label of the exercise>.md``: prose and cells as in the chapter, whose
names it may use.  The public edition never reads it.  ``make book EDITION=teacher`` puts it into the text of
its page before that is parsed, so that its cells are executed with those of the page.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SOLUTIONS = Path(__file__).resolve().parents[1] / "solutions"
# From an exercise to the next one, or to the end of the page: its check value and its hint come along
EXERCISE = re.compile(r"^```\{exercise\}[^\n]*\n:label: (\S+)\n.*?(?=^```\{exercise\}|\Z)", re.M | re.S)
FOLDED = "```{{solution-start}} {label}\n:class: dropdown\n```\n\n{text}\n\n```{{solution-end}}\n```\n\n"


def solution(label: str) -> Path:
    """Where the solution of an exercise is, if it is one for assignment."""
    return SOLUTIONS / f"{label}.md"


def teachers(text: str) -> str:
    """The text of a page with the solutions of its exercises for assignment."""

    def solved(exercise: re.Match[str]) -> str:
        path = solution(exercise[1])
        if not path.exists():
            return exercise[0]
        folded = FOLDED.format(label=exercise[1], text=path.read_text("utf-8").strip())
        return f"{exercise[0].rstrip()}\n\n{folded}"

    return EXERCISE.sub(solved, text)


def add_solutions(app: Sphinx, page: str, source: list[str]) -> None:
    source[0] = teachers(source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    if app.tags.has("teacher"):
        app.connect("source-read", add_solutions)
        app.config.html_title = f"{app.config.project}: teacher's edition"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
