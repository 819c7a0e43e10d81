"""The text of a notebook: formulas, lines, frames, and what is taken from the outputs of cells."""

from __future__ import annotations

import base64
import itertools
import re
import struct
from collections.abc import Callable, Iterator
from html import escape, unescape
from textwrap import indent
from typing import Any

import nbformat
from bs4 import BeautifulSoup
from docutils import nodes
from nbformat import NotebookNode

# A notebook in the making: Markdown, cells, and None where a new cell of Markdown begins
Pieces = list[str | NotebookNode | None]

PREDICT = "Predict first."  # how a question begins
PIXEL = 96 / 160  # of a page, per pixel of a slider's picture
GROUP = r"(\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}|\\[A-Za-z]+|\S)"  # an argument of a macro


def expand(formula: str, macros: dict[str, Any]) -> str:
    """A formula without the macros that only the pages know."""
    for name, macro in macros.items():
        text, count = macro if isinstance(macro, list) else (f"{{{macro}}}", 0)
        pattern = re.compile(rf"\\{name}(?![A-Za-z])" + rf"\s*{GROUP}" * count)

        def replaced(match: re.Match[str], text: str = text) -> str:
            return re.sub(r"#(\d)", lambda place: match[int(place[1])], text)

        while pattern.search(formula):  # one in the argument of another
            formula = pattern.sub(replaced, formula)
    return formula


def plain(text: str) -> str:
    """Text that Markdown leaves alone."""
    return re.sub(r"([\\`*_\[\]<>$~|&])", r"\\\1", text)


def line(text: str) -> str:
    """A paragraph in one line, no list and no heading."""
    return re.sub(r"^(\d*)([-+#.)])(?=\s|#)", r"\1\\\2", " ".join(text.split()))


def indented(mark: str, text: str) -> str:
    return mark + indent(text, " " * len(mark)).lstrip()


def quoted(text: str) -> str:
    return "\n".join(f"> {each}".rstrip() for each in text.split("\n"))


def ancestors(node: nodes.Node) -> Iterator[nodes.Element]:
    while node := node.parent:
        yield node


def wrapped(pieces: Pieces, wrap: Callable[[str], str]) -> Pieces:
    """Each run of Markdown in a frame of its own: no frame can hold a cell."""
    framed: Pieces = []
    for kind, run in itertools.groupby(pieces, key=type):
        each = list(run)
        framed += [wrap("\n\n".join(each))] if kind is str else each
    return framed


def picture(data: dict[str, Any], alt: str) -> str:
    """A figure or the still of a slider, on white and with its text, for viewers that trust nobody."""
    if "image/svg+xml" in data:
        kind, code, size = "svg+xml", base64.b64encode(data["image/svg+xml"].encode()).decode(), ""
    else:
        kind, code = "png", data["image/png"].strip()
        size = f' width="{PIXEL * struct.unpack(">I", base64.b64decode(code)[16:20])[0]:.0f}"'
    style = "background-color: white; max-width: 100%"
    return f'<img src="data:image/{kind};base64,{code}"{size} alt="{escape(alt)}" style="{style}">'


def told(slider: str) -> str:
    """The text of the frame that is seen first."""
    frame = re.search(r'class="lk-frame">.*?(?:aria-label|alt)="([^"]+)"', slider, re.DOTALL)
    return unescape(frame[1]) if frame else ""


def outputs(cell: NotebookNode, alt: str) -> list[NotebookNode]:
    """What a cell showed, without what needs the site, a kernel or a press."""
    kept = []
    for output in cell.outputs:
        data = output.get("data", {})
        if "scrapbook" in output.get("metadata", {}):
            continue
        if {"image/svg+xml", "image/png"} & set(data):
            alt = alt or told(data.get("text/html", ""))
            data = {"text/html": picture(data, alt), "text/plain": alt}
            output = nbformat.v4.new_output(output.output_type, data, metadata={})
            if output.output_type == "execute_result":
                output.execution_count = cell.execution_count
        kept.append(output)
    return kept


def asked(cell: NotebookNode) -> tuple[Pieces, Pieces]:
    """What a slider asks before it opens, and the answer."""
    for output in cell.outputs:
        head = output.get("data", {}).get("text/html", "").partition('<div class="lk-stage">')[0]
        if question := BeautifulSoup(head, "html.parser").select_one(".lk-question"):
            text = plain(question.p.get_text().removeprefix(PREDICT).strip())
            choices = [label.get_text().strip() for label in question.select("label:has([type=radio])")]
            listed = "\n".join(f"- {plain(choice)}" for choice in choices)
            answer = plain(question.select_one(".lk-answer").get_text())
            return [f"**{PREDICT}** {text}\n\n{listed}".strip()], [answer]
    return [], []
