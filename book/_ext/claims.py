"""The claims register and the errata as pages of the book.

* ``{claims-register}`` renders ``book/claims.yml`` with the numbers of ``book/data/measured.json``;
* ``{claims-errata}`` renders what is ``corrected`` in it, ``{claims-findings}`` what we found besides;
* ``{claims-notes}`` repeats the boxes of the chapters that are titled "Notes on the source";
* ``{claim}`bos-3``` links to an entry of the register and shows its verdict.

The site has the code of each test that the register names.  A claim whose section does not exist, or an
unknown claim, is a warning, so it fails the build.
"""

from __future__ import annotations

import sys
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole, new_document
from sphinx.util.nodes import nested_parse_with_titles

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import claims_text as text
from claims_code import listings, test_link

from book.register import MEASURED, REGISTER, read_measured, read_register

logger = logging.getLogger(__name__)

Entry = dict[str, Any]
NOTES = "Notes on the source"
HEAD = ("Claim", "Verdict", "Printed", "Ours", "Measured", "σ", "Shown in, asserted by")


@cache
def register() -> dict[str, Any]:
    """The register, read once."""
    return read_register()


def badge(word: str) -> nodes.Node:
    """A verdict, told by its word and coloured besides."""
    return nodes.inline("", word, classes=["claim-verdict", f"claim-{word}"])


def link(env: BuildEnvironment, label: str, words: str = "") -> pending_xref:
    """A link to a label; without words it bears the title that follows the label."""
    options = {"refdomain": "std", "reftype": "ref", "refwarn": True, "refdoc": env.docname}
    return pending_xref(
        "", nodes.inline("", words or label), reftarget=label, refexplicit=bool(words), **options
    )


class RegisterDirective(SphinxDirective):
    """All claims: how many, and those of each source."""

    def run(self) -> list[nodes.Node]:
        found = self.parsed(self.opening())
        claims = groupby(register()["claims"], lambda entry: entry["source"])
        return found + [section for key, entries in claims for section in self.sections(key, list(entries))]

    def opening(self) -> list[str]:
        return text.summary(register())

    def sections(self, key: str, entries: list[Entry]) -> list[nodes.Node]:
        """The part of a source: a table, then every claim; all of them marked for the filter."""
        measured = read_measured()
        for quantity in [name for entry in entries for name in entry.get("quantities", ())]:
            if quantity not in measured:
                logger.warning("%s is not in %s; `make claims` computes it", quantity, MEASURED.name)
        source = register()["sources"][key]
        lines = text.source_head(source)
        for entry in entries:
            lines += text.register_entry(entry, measured, source["texts"])
        (section,) = self.parsed(lines)
        parts = [part for part in section.children if isinstance(part, nodes.section)]
        table = self.table([self.row(entry, measured) for entry in entries])
        # before the label of the first claim, which names what follows it
        section.insert(section.first_child_matching_class(nodes.target), table)
        for entry, *marked in zip(entries, parts, table.findall(self.is_row), strict=True):
            for node in marked:
                node["classes"] += marks(entry)
        return [section]

    @staticmethod
    def is_row(node: nodes.Node) -> bool:
        return isinstance(node, nodes.row) and isinstance(node.parent, nodes.tbody)

    def row(self, entry: Entry, measured: dict[str, Entry]) -> list[list[nodes.Node]]:
        """The cells of a claim, each a list of its lines."""
        claim = [link(self.env, f"claim-{entry['id']}", entry["id"]), nodes.Text(entry["equation"])]
        verdict = [badge(entry["verdict"]), *([nodes.Text(entry["kind"])] if "kind" in entry else [])]
        figures = zip(*text.columns(entry, measured), strict=True)
        numbers = [
            [nodes.inline("", line or "\u00a0", classes=["claim-number"]) for line in c] for c in figures
        ]
        names = (
            ["test"] if len(entry["tests"]) == 1 else [f"test {i + 1}" for i in range(len(entry["tests"]))]
        )
        tests = [
            test_link(self.env, test, nodes.inline("", name))
            for test, name in zip(entry["tests"], names, strict=True)
        ]
        separated = [node for test in tests for node in (nodes.Text(", "), test)][1:]
        shown = [link(self.env, text.section_label(entry)), nodes.inline("", "", *separated)]
        return [claim, verdict, *numbers, shown]

    def table(self, rows: list[list[list[nodes.Node]]]) -> nodes.table:
        group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in HEAD), cols=len(HEAD))
        head = [[nodes.Text(name)] for name in HEAD]
        for part, content in ((nodes.thead(), [head]), (nodes.tbody(), rows)):
            for cells in content:
                part += nodes.row(
                    "",
                    *(nodes.entry("", *(nodes.paragraph("", "", line) for line in cell)) for cell in cells),
                )
            group += part
        return nodes.table("", group, classes=["claims-table", "colwidths-auto"])

    def parsed(self, lines: list[str]) -> list[nodes.Node]:
        """Markdown as nodes; "##" is below the heading of the page."""
        page = next(self.state.document.findall(nodes.section))
        count = len(page)
        container = nodes.Element()
        container.document = self.state.document
        nested_parse_with_titles(self.state, StringList(lines, str(REGISTER)), container)
        found = [*container.children, *page[count:]]
        del page[count:]  # MyST appends sections to the page at once; they are to stand in their place
        return found


def marks(entry: Entry) -> list[str]:
    """The classes by which the filter knows a claim."""
    chapter = entry["section"].partition("#")[0]
    kind = [f"kind-{entry['kind']}"] if "kind" in entry else []
    return [
        "claim-entry",
        f"source-{entry['source']}",
        f"chapter-{chapter}",
        f"verdict-{entry['verdict']}",
        *kind,
    ]


class ErrataDirective(RegisterDirective):
    """The corrected claims: in full, and the slips as a list."""

    def opening(self) -> list[str]:
        return []

    def sections(self, key: str, entries: list[Entry]) -> list[nodes.Node]:
        source = register()["sources"][key]
        corrected = [entry for entry in entries if entry["verdict"] == "corrected"]
        slips = [entry for entry in corrected if entry["kind"] == "slip"]
        lines = text.source_head(source)
        for entry in corrected:
            if entry["kind"] != "slip":
                lines += text.erratum(entry, source["texts"])
        if slips:
            lines += ["### Slips", "", *(line for entry in slips for line in text.slip(entry))]
        return self.parsed(lines)


class FindingsDirective(RegisterDirective):
    """What we found besides."""

    def run(self) -> list[nodes.Node]:
        return self.parsed([line for entry in register()["findings"] for line in text.finding(entry)])


class claims_notes(nodes.General, nodes.Element):
    """The place of the notes on the source, until all chapters have been read."""


class NotesDirective(SphinxDirective):
    """The boxes of the chapters that are titled "Notes on the source"."""

    def run(self) -> list[nodes.Node]:
        return [claims_notes()]


def insert_notes(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Copy the boxes of all pages, each under the title of its page."""
    for place in list(doctree.findall(claims_notes)):
        found = []
        for other in sorted(app.env.found_docs):
            for box in app.env.get_doctree(other).findall(nodes.admonition):
                if box[0].astext() == NOTES:
                    found.append(resolved(app, box.deepcopy(), other, page))
        place.replace_self(found)


def resolved(app: Sphinx, box: nodes.admonition, home: str, page: str) -> nodes.admonition:
    """A box of another page, its links as seen from this one, without the identifiers that it has there."""
    for node in box.findall(nodes.Element):
        node["ids"] = []
    for reference in box.findall(pending_xref):
        reference["refdoc"] = page
    box[0] = nodes.title("", app.env.titles[home].astext())
    document = new_document("")
    document += box
    app.env.resolve_references(document, page, app.builder)
    document.remove(box)
    return box


class ClaimRole(SphinxRole):
    """A link to an entry of the register, with its verdict."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        verdicts = {entry["id"]: entry["verdict"] for entry in register()["claims"]}
        verdicts |= {entry["id"]: "ours" for entry in register()["findings"]}
        if self.text not in verdicts:
            logger.warning("there is no claim %r in claims.yml", self.text, location=self.get_location())
            return [nodes.inline("", self.text)], []
        reference = link(self.env, f"claim-{self.text}", self.text)
        self.set_source_info(reference)
        return [
            nodes.inline("", "", reference, nodes.Text(" "), badge(verdicts[self.text]), classes=["claim-id"])
        ], []


class VerdictRole(SphinxRole):
    """A verdict."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        return [badge(self.text)], []


class TestRole(SphinxRole):
    """The name of a test, which may be broken across lines, with a link to its code."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        name = nodes.literal("", self.text, classes=["claim-test"])
        return [test_link(self.env, self.text, name)], []


class KindRole(SphinxRole):
    """What kind a correction is of."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        return [nodes.inline("", self.text, classes=["claim-verdict", "claim-corrected", "claim-kind"])], []


def shorten_contents(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Beside the register its parts are listed, and the claims of the one that is read."""
    if page == f"{REGISTER.parent.name}/claims":
        context["theme_show_toc_level"] = 1


def check_sections(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn if the label of a claim's section stands on another page than the register says."""
    labels = env.get_domain("std").labels
    book = REGISTER.parent.relative_to(app.srcdir).as_posix()
    for entry in register()["claims"] + register()["findings"]:
        page, _, label = entry["section"].partition("#")
        if label in labels and labels[label][0] != f"{book}/{page}":
            logger.warning("%s: section %s is on page %s", entry["id"], entry["section"], labels[label][0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("claims-register", RegisterDirective)
    app.add_directive("claims-errata", ErrataDirective)
    app.add_directive("claims-findings", FindingsDirective)
    app.add_directive("claims-notes", NotesDirective)
    app.add_node(claims_notes)
    app.add_role("claim", ClaimRole())
    app.add_role("claim-verdict", VerdictRole())
    app.add_role("claim-kind", KindRole())
    app.add_role("claim-test", TestRole())
    app.add_css_file("claims.css")
    app.add_js_file("claims.js")
    app.connect("env-check-consistency", check_sections)
    app.connect("doctree-resolved", insert_notes)
    app.connect("html-collect-pages", listings)
    app.connect("html-page-context", shorten_contents)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
