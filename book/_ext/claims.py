"""The claims register and the errata as pages of the book.

* ``{claims-register}`` renders ``book/claims.yml`` with the numbers of ``book/data/measured.json``;
* ``{claims-errata}`` renders what is ``corrected`` in it;
* ``{claim}`bos-3``` links to an entry of the register.

A claim whose section does not exist, or an unknown claim, is a warning, so it fails the build.
"""

from __future__ import annotations

import math
import re
import sys
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.nodes import nested_parse_with_titles

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from book.register import MEASURED, REGISTER, read_measured, read_register

logger = logging.getLogger(__name__)

Entry = dict[str, Any]


def plain(text: str) -> str:
    """Text that Markdown leaves alone, in a table too."""
    return re.sub(r"([\\`*_{}\[\]<>$|#~])", r"\\\1", text)


def number(value: float, stderr: float = 0.0, systematic: float = 0.0) -> str:
    """A value with its errors, to two digits of the smaller one; seven digits if there is none."""
    errors = [error for error in (stderr, systematic) if error]
    if not errors:
        return f"{value:.7g}".replace("-", "−")
    places = max(0, 1 - math.floor(math.log10(min(errors))))
    text = f"{value:.{places}f}"
    if stderr:
        text += f" ± {stderr:.{places}f}"
    if systematic:
        text += f" ± {systematic:.{places}f} (systematic)"
    return text.replace("-", "−")


def numbers(entry: Entry) -> str:
    """All values of a recorded quantity."""
    values = entry["value"] if isinstance(entry["value"], list) else [entry["value"]]
    errors = [
        entry[name] if isinstance(entry[name], list) else [entry[name]] * len(values)
        for name in ("stderr", "systematic")
    ]
    return "; ".join(map(number, values, *errors))


def definition(term: str, *paragraphs: str) -> list[str]:
    """An item of a definition list."""
    lines = [term]
    for paragraph in paragraphs:
        first, *rest = paragraph.split("\n")
        lines += [f": {first}", *(f"  {line}" for line in rest)]
    return [*lines, ""]


def section_label(entry: Entry) -> str:
    return entry["section"].partition("#")[2]


def overview(entries: list[Entry]) -> list[str]:
    """The table that opens a source's part of the register."""
    return [
        "| Claim | Equation | Verdict | Shown in |",
        "|---|---|---|---|",
        *(
            f"| {{claim}}`{entry['id']}` | {plain(entry['equation'])} "
            f"| {{claim-verdict}}`{entry['verdict']}` | {{ref}}`{section_label(entry)}` |"
            for entry in entries
        ),
        "",
    ]


def register_entry(entry: Entry, measured: dict[str, Entry]) -> list[str]:
    """One claim of the register."""
    verdict = f"{{claim-verdict}}`{entry['verdict']}`"
    if entry["verdict"] == "corrected":
        verdict += f"; {{ref}}`text, proposed reading and evidence <erratum-{entry['id']}>`"
    lines = [f"(claim-{entry['id']})=", f"### {entry['id']}: equation {plain(entry['equation'])}", ""]
    lines += definition("Claim", entry["claim"])
    lines += definition("Verdict", verdict)
    lines += definition("Shown in", f"{{ref}}`{section_label(entry)}`")
    lines += definition("Asserted by", *(f"{{claim-test}}`{test}`" for test in entry["tests"]))
    for key in entry.get("quantities", ()):
        if key not in measured:
            logger.warning("%s is not in %s; `make claims` computes it", key, MEASURED.name)
            continue
        found = measured[key]
        seed = "" if found["seed"] is None else f" (seed {found['seed']})"
        lines += definition(f"Measured: {key}", f"**{numbers(found)}**", f"{plain(found['method'])}{seed}")
    return lines


def erratum(entry: Entry) -> list[str]:
    """One correction, worded to the authors of the source."""
    lines = [f"(erratum-{entry['id']})=", f"### Equation {plain(entry['equation'])}", ""]
    lines += definition("In the text we read", entry["print"])
    lines += definition("Proposed reading", entry["correction"])
    lines += definition("Evidence", entry["evidence"])
    shown = f"{{ref}}`{section_label(entry)}`; claim {{claim}}`{entry['id']}`"
    return lines + definition("Shown in", shown)


class RegisterDirective(SphinxDirective):
    """All claims, by source."""

    verdicts: ClassVar[tuple[str, ...]] = ("confirmed", "corrected", "open")

    def run(self) -> list[nodes.Node]:
        for path in (REGISTER, MEASURED):
            self.env.note_dependency(str(path))
        register = read_register()
        chosen = [entry for entry in register["claims"] if entry["verdict"] in self.verdicts]
        lines = []
        for key, entries in groupby(chosen, lambda entry: entry["source"]):
            source = register["sources"][key]
            texts = "; ".join(source["texts"].values())
            lines += [
                f"## {source['authors']}",
                "",
                f"*{source['title']}* {{cite:p}}`{source['cite']}`; read in {texts}.",
                "",
            ]
            lines += self.entries(list(entries))
        # "##": below the heading of the page, "###": below a source
        container = nodes.Element()
        container.document = self.state.document
        nested_parse_with_titles(self.state, StringList(lines, str(REGISTER)), container)
        return container.children

    def entries(self, entries: list[Entry]) -> list[str]:
        measured = read_measured()
        lines = overview(entries)
        for entry in entries:
            lines += register_entry(entry, measured)
        return lines


class ErrataDirective(RegisterDirective):
    """The corrected claims, by source."""

    verdicts = ("corrected",)

    def entries(self, entries: list[Entry]) -> list[str]:
        return [line for entry in entries for line in erratum(entry)]


class ClaimRole(SphinxRole):
    """A link to an entry of the register."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        self.env.note_dependency(str(REGISTER))
        if self.text not in {entry["id"] for entry in read_register()["claims"]}:
            logger.warning("there is no claim %r in claims.yml", self.text, location=self.get_location())
        link = pending_xref(
            "",
            nodes.inline("", self.text),
            refdomain="std",
            reftype="ref",
            reftarget=f"claim-{self.text}",
            refexplicit=True,
            refwarn=True,
            refdoc=self.env.docname,
        )
        self.set_source_info(link)
        return [nodes.inline("", "", link, classes=["claim-id"])], []


class VerdictRole(SphinxRole):
    """A verdict, told by its word and coloured besides."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        return [nodes.inline("", self.text, classes=["claim-verdict", f"claim-{self.text}"])], []


class TestRole(SphinxRole):
    """The name of a test, which may be broken across lines."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        return [nodes.literal("", self.text, classes=["claim-test"])], []


def check_sections(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn if the label of a claim's section stands on another page than the register says."""
    labels = env.get_domain("std").labels
    book = REGISTER.parent.relative_to(app.srcdir).as_posix()
    for entry in read_register()["claims"]:
        page, _, label = entry["section"].partition("#")
        if label in labels and labels[label][0] != f"{book}/{page}":
            logger.warning("%s: section %s is on page %s", entry["id"], entry["section"], labels[label][0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("claims-register", RegisterDirective)
    app.add_directive("claims-errata", ErrataDirective)
    app.add_role("claim", ClaimRole())
    app.add_role("claim-verdict", VerdictRole())
    app.add_role("claim-test", TestRole())
    app.add_css_file("claims.css")
    app.connect("env-check-consistency", check_sections)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
