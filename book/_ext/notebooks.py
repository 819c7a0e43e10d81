"""Every page with cells as a notebook that reads like the page.

Viewers of notebooks show the roles and directives of MyST as source.  So the notebook is written from
the resolved document, in Markdown that any viewer understands: formulas, numbers, links and citations
stand in it as on the page.  The cells and their outputs come from the cache of executed pages.

A kind of node that is not known here is a warning, so it fails the build.
"""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import nbformat
from docutils import nodes
from jupyter_cache import get_cache
from myst_nb.sphinx_ import HideCodeCellNode
from nbformat import NotebookNode
from notebook_text import Pieces, ancestors, asked, expand, indented, line, outputs, plain, quoted, wrapped
from sphinx.application import Sphinx
from sphinx.locale import admonitionlabels
from sphinx.util import logging

logger = logging.getLogger(__name__)

WIDGET = "application/vnd.jupyter.widget-view+json"
NOTE = (
    "*A chapter of the book {}. Its cells need the package of the book:* `make lab` *in the folder of the "
    "book opens JupyterLab with it, and the README of a handout says how to install it.*"
)


class Writer:
    """Writes one page."""

    def __init__(self, app: Sphinx, page: str, document: nodes.document, executed: NotebookNode) -> None:
        self.app, self.page, self.executed = app, page, executed
        self.macros = app.config.mathjax3_config["tex"]["macros"]
        self.base = app.config.html_baseurl and urljoin(app.config.html_baseurl, f"{page}.html")
        self.cited: set[str] = set()
        self.shown: set[int] = set()
        self.images: dict[str, Path] = {}
        self.wanted = {
            reference.get("refid") or reference["refuri"][1:]
            for reference in document.findall(nodes.reference)
            if "refid" in reference or reference.get("refuri", "").startswith("#")
        }
        self.document = document

    def notebook(self) -> NotebookNode:
        pieces = self.inside(self.document)
        pieces.insert(2, NOTE.format(plain(self.app.config.project)))
        for index, cell in enumerate(self.executed.cells):
            tags = cell.metadata.get("tags", ())
            if cell.cell_type == "code" and index not in self.shown and "remove-cell" not in tags:
                logger.warning("the page does not show cell %d", index, location=self.page)
        if self.cited:
            pieces += [None, "## References", "\n".join(f"- {plain(text)}" for text in sorted(self.cited))]
        cells: list[NotebookNode] = []
        for kind, run in itertools.groupby(pieces, key=type):
            if kind is str:
                cells.append(self.markdown("\n\n".join(run)))
            elif kind is NotebookNode:
                cells += run
        for number, cell in enumerate(cells):
            cell.id = f"cell-{number}"
        metadata = {key: self.executed.metadata[key] for key in ("kernelspec", "language_info")}
        return nbformat.v4.new_notebook(cells=cells, metadata=metadata)

    def markdown(self, text: str) -> NotebookNode:
        """A cell that carries the pictures in its text."""
        cell = nbformat.v4.new_markdown_cell(text)
        kinds = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg"}
        for name in re.findall(r"\(attachment:(\S+)\)", text):
            path = self.images[name]
            data = base64.b64encode(path.read_bytes()).decode()
            cell.setdefault("attachments", {})[name] = {kinds[path.suffix]: data}
        return cell

    # What every node is asked

    def find(self, role: str, node: nodes.Node) -> Callable[[Any], Any] | None:
        """What to do with a kind of node, or with the kinds it is made from."""
        names = (f"{role}_{kind.__name__}" for kind in type(node).__mro__)
        found = next((getattr(self, name) for name in names if hasattr(self, name)), None)
        if found is None:
            logger.warning("the notebook cannot show <%s>", type(node).__name__, location=node)
        return found

    def block(self, node: nodes.Node) -> Pieces:
        found = self.find("block", node)
        return found(node) if found else []

    def inside(self, node: nodes.Element) -> Pieces:
        return [piece for child in node.children for piece in self.block(child)]

    def inline(self, node: nodes.Node) -> str:
        found = self.find("inline", node)
        return found(node) if found else ""

    def text(self, node: nodes.Element) -> str:
        return "".join(map(self.inline, node.children))

    def number(self, kind: str, node: nodes.Element) -> str:
        """The number that the page gives to a figure, a theorem, an equation."""
        numbers = self.app.env.toc_fignumbers.get(self.page, {}).get(kind, {})
        return next((".".join(map(str, numbers[name])) for name in node["ids"] if name in numbers), "")

    def anchor(self, node: nodes.Element) -> str:
        """Where the links of this page lead."""
        return "".join(f'<a id="{name}"></a>' for name in node["ids"] if name in self.wanted)

    def formula(self, node: nodes.Element) -> str:
        formula = expand(node.astext(), self.macros)
        if any(isinstance(around, nodes.entry) for around in ancestors(node)):
            formula = formula.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
        return " ".join(formula.split())

    # Words

    def inline_Text(self, node: nodes.Text) -> str:
        return plain(node.astext())

    def inline_math(self, node: nodes.math) -> str:
        return f"${self.formula(node)}$"

    def inline_emphasis(self, node: nodes.emphasis) -> str:
        return f"*{self.text(node)}*"

    def inline_strong(self, node: nodes.strong) -> str:
        return f"**{self.text(node)}**"

    def inline_literal(self, node: nodes.literal) -> str:
        marks = "``" if "`" in node.astext() else "`"
        return f"{marks}{node.astext()}{marks}"

    def inline_inline(self, node: nodes.inline) -> str:
        if "bibtex-citation" in node["classes"]:
            self.cited |= {link["reftitle"] for link in node.findall(nodes.reference)}
        return self.text(node)

    def inline_reference(self, node: nodes.reference) -> str:
        text, target = self.text(node), node.get("refuri") or f"#{node['refid']}"
        if "reftitle" in node and "bibtex-citation" in node.parent["classes"]:
            return text  # to the list at the end
        if "://" not in target and not target.startswith("#"):
            target = self.base and urljoin(self.base, target)
        return f"[{text}](<{target}>)" if target else text

    def inline_image(self, node: nodes.image) -> str:
        path = Path(self.app.srcdir, next(iter(node["candidates"].values())))
        self.images[path.name] = path
        return f"![{plain(node.get('alt', ''))}](attachment:{path.name})"

    def inline_raw(self, node: nodes.raw) -> str:
        return node.astext().strip() if "html" in node["format"].split() else ""

    def inline_superscript(self, node: nodes.Element) -> str:
        return f"<sup>{self.text(node)}</sup>"

    inline_footnote_reference = inline_superscript

    def inline_subscript(self, node: nodes.subscript) -> str:
        return f"<sub>{self.text(node)}</sub>"

    def inline_Invisible(self, node: nodes.Node) -> str:
        return ""

    # Paragraphs and what is made of them

    def block_Invisible(self, node: nodes.Node) -> Pieces:
        return []

    # written with what they belong to
    block_title = block_term = block_field_name = block_label = block_Invisible

    block_figure = block_definition = block_field_body = block_legend = inside

    def block_section(self, node: nodes.section) -> Pieces:
        if not isinstance(node[0], nodes.title):  # the inside of a theorem
            return self.inside(node)
        depth = 1 + sum(isinstance(around, nodes.section) for around in ancestors(node))
        numbers = self.app.env.toc_secnumbers.get(self.page, {})
        names = [f"#{name}" for name in node["ids"]] if depth > 1 else [""]
        number = next((".".join(map(str, numbers[name])) + "." for name in names if name in numbers), "")
        title = f"{'#' * depth} {number} {self.text(node[0])} {self.anchor(node)}"
        return [None, " ".join(title.split()), *self.inside(node)]

    def block_paragraph(self, node: nodes.Element) -> Pieces:
        return [line(self.anchor(node) + self.text(node))]

    def block_rubric(self, node: nodes.rubric) -> Pieces:
        return [f"**{self.text(node)}**"]

    def block_transition(self, node: nodes.transition) -> Pieces:
        return ["---"]

    def block_math_block(self, node: nodes.math_block) -> Pieces:
        formula, number = self.formula(node), self.number("displaymath", node)
        if node["nowrap"]:
            return [formula]
        if r"\\" in formula:
            formula = rf"\begin{{split}}{formula}\end{{split}}"
        tag = rf" \tag{{{number}}}" if number else ""
        return [f"{self.anchor(node)}\n$${formula}{tag}$$".strip()]

    def block_literal_block(self, node: nodes.Element) -> Pieces:
        return [f"```{node.get('language', '')}\n{node.astext()}\n```"]

    block_doctest_block = block_literal_block

    def block_image(self, node: nodes.Element) -> Pieces:
        return [self.inline(node)]

    block_raw = block_image

    def block_caption(self, node: nodes.caption) -> Pieces:
        figure = node.parent
        if not isinstance(figure, nodes.figure):
            return self.block_paragraph(node)
        label = self.app.config.numfig_format["figure"] % self.number("figure", figure)
        return [f"{self.anchor(figure)}**{label}** {line(self.text(node))}"]

    def prose(self, node: nodes.Element) -> str:
        """What stands where no cell can: in a list or a table."""
        pieces = self.inside(node)
        if any(isinstance(piece, NotebookNode) for piece in pieces):
            logger.warning("the notebook cannot show a cell in <%s>", type(node).__name__, location=node)
        return "\n\n".join(piece for piece in pieces if isinstance(piece, str))

    def listed(self, node: nodes.Element, mark: str = "- ") -> Pieces:
        return ["\n".join(indented(mark, self.prose(item)) for item in node.children)]

    block_bullet_list = listed

    def block_enumerated_list(self, node: nodes.enumerated_list) -> Pieces:
        return self.listed(node, "1. ")

    def block_definition_list(self, node: nodes.Element) -> Pieces:
        return ["\n".join(indented("- ", f"**{self.text(item[0])}**: {self.prose(item)}") for item in node)]

    block_field_list = block_definition_list

    def block_footnote(self, node: nodes.footnote) -> Pieces:
        return [f"<sup>{node[0].astext()}</sup> {self.prose(node)}"]

    def block_table(self, node: nodes.table) -> Pieces:
        rows = [
            " | ".join(self.prose(entry).replace("\n", "<br>") for entry in row)
            for row in node.findall(nodes.row)
        ]
        columns = len(next(iter(node.findall(nodes.row))))
        if next(iter(node.findall(nodes.thead)), None) is None:
            rows.insert(0, " | " * (columns - 1))
        rows.insert(1, " | ".join(["---"] * columns))
        table = "\n".join(f"| {row} |" for row in rows)
        if not isinstance(node[0], nodes.title):
            return [table]
        label = self.app.config.numfig_format["table"] % self.number("table", node)
        return [f"{self.anchor(node)}**{label}** {self.text(node[0])}", table]

    # Frames

    def block_block_quote(self, node: nodes.block_quote) -> Pieces:
        return wrapped(self.inside(node), quoted)

    def block_Admonition(self, node: nodes.Element) -> Pieces:
        """Theorems, exercises, solutions, remarks: with a head, folded or in a frame."""
        title = node[0] if isinstance(node[0], nodes.title) else nodes.title()
        label = ""
        if kind := node.get("realtype"):
            label = f"{kind.title()} {self.number(node.get('countertype', ''), node)}".strip()
        elif "title" in title:
            label = title["title"] % self.number("exercise", node)
        elif not title.children:
            label = admonitionlabels[type(node).__name__]
        if "dropdown" in node["classes"]:
            return self.fold(f"{label}{self.summary(title)}", self.inside(node))
        head = f"**{label}**{self.text(title)}" if label else f"**{self.text(title)}**"
        return wrapped([self.anchor(node) + line(head), *self.inside(node)], quoted)

    block_topic = block_sidebar = block_Admonition

    def block_proof_node(self, node: nodes.Element) -> Pieces:
        (proof,) = node.children
        pieces = self.inside(proof)
        if "dropdown" in proof["classes"]:
            return self.fold("Proof", pieces)
        pieces[0] = pieces[0].replace("Proof.", "*Proof.*", 1)
        in_words = isinstance(pieces[-1], str) and not pieces[-1].endswith("$$")
        return [*pieces[:-1], f"{pieces[-1]} ∎"] if in_words else [*pieces, "∎"]

    def block_dropdown_main(self, node: nodes.Element) -> Pieces:
        return self.fold(self.summary(node[0]), self.inside(node[1]))

    def summary(self, title: nodes.Element) -> str:
        """A head in HTML."""
        words = [
            text.parent if isinstance(text.parent, nodes.math) else text for text in title.findall(nodes.Text)
        ]
        return "".join(
            self.inline_math(word) if isinstance(word, nodes.math) else escape(word.astext())
            for word in words
            if not isinstance(word.parent, nodes.raw)
        )

    def fold(self, summary: str, pieces: Pieces) -> Pieces:
        """A run of prose for each run of cells, all closed; cells cannot stand within."""
        if pieces and isinstance(pieces[0], NotebookNode):
            pieces.insert(0, "In the cells that follow.")
        for piece in pieces:
            if isinstance(piece, NotebookNode):
                piece.metadata["jupyter"] = {"source_hidden": True, "outputs_hidden": True}
        heads = itertools.chain([summary], itertools.repeat(f"{summary}, continued"))
        return wrapped(
            pieces,
            lambda text: (
                f"<details>\n<summary>{' '.join(next(heads).split())}</summary>\n\n{text}\n\n</details>"
            ),
        )

    # Cells

    def block_container(self, node: nodes.container) -> Pieces:
        if node.get("nb_element") != "cell_code":
            return self.inside(node)
        cell = self.executed.cells[node["cell_index"]]
        self.shown.add(node["cell_index"])
        for source in node.findall(nodes.container):
            if source.get("nb_element") == "cell_code_source":
                assert source.astext().rstrip() == cell.source.rstrip(), f"another cell {node['cell_index']}"
        alt = next((image.get("alt", "") for image in node.findall(nodes.image)), "")
        tags = cell.metadata.get("tags", ())
        closed = {
            f"{part}_hidden": True
            for part, name in (("source", "input"), ("outputs", "output"))
            if {f"hide-{name}", f"remove-{name}", "hide-cell"} & set(tags)
        }
        code = nbformat.v4.new_code_cell(
            cell.source,
            execution_count=cell.execution_count,
            outputs=outputs(cell, alt),
            metadata={"jupyter": closed} if closed else {},
        )
        captions = [piece for caption in node.findall(nodes.caption) for piece in self.block(caption)]
        before, after = asked(cell)
        if any(WIDGET in output.get("data", {}) for output in cell.outputs):
            captions.append("*A still: run the cells, and the picture moves.*")
        return [*before, *self.promise(node, captions), code, *captions, *self.fold("Answer", after)]

    def promise(self, node: nodes.container, captions: Pieces) -> Pieces:
        """What the page says of a closed cell, if it shows no picture that says more."""
        for fold in node.findall(HideCodeCellNode):
            if not captions and fold["prompt_show"] != self.app.config.nb_code_prompt_show:
                return [f"*{plain(fold['prompt_show'])}*"]
        return []


def offered(app: Sphinx, page: str) -> bool:
    """Whether the page has cells."""
    return app.builder.format == "html" and bool(app.env.nb_metadata.get(page, {}).get("exec_data"))


def offer_notebook(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Tell the theme's download menu that there will be a notebook."""
    if offered(app, page):
        context["ipynb_source"] = f"{page}.ipynb"


def write_notebook(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Put the page's notebook beside its source."""
    if doctree is None or not offered(app, page):
        return
    cells = Path(app.outdir).parent / "jupyter_execute" / f"{page}.ipynb"
    cache = get_cache(app.env.mystnb_config.execution_cache_path)
    # the outputs as they were computed: myst-nb has taken some out for itself
    _, executed = cache.merge_match_into_notebook(nbformat.read(cells, as_version=4))
    target = Path(app.outdir, "_sources", f"{page}.ipynb")
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(Writer(app, page, doctree, executed).notebook(), target)


def setup(app: Sphinx) -> dict[str, bool]:
    # The theme's handlers (501) read the context, and copy a notebook of their own if there is a repository.
    app.connect("html-page-context", offer_notebook, priority=499)
    app.connect("html-page-context", write_notebook, priority=502)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
