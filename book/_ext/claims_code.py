"""The code of the tests that the register names, on pages of the site."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from book.register import ROOT, read_register


def page_of(file: str) -> str:
    """Beside the listings of modules, which viewcode makes."""
    return "_modules/" + file.removesuffix(".py")


def test_link(env: BuildEnvironment, test: str, text: nodes.Node) -> nodes.Node:
    """A text that leads to the code of a test; on paper it is the text alone."""
    if env.app.builder.format != "html":
        return text
    file, _, function = test.partition("::")
    page = env.app.builder.get_relative_uri(env.docname, page_of(file))
    return nodes.reference("", "", text, internal=True, refuri=f"{page}#{function}")


def listings(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A page for each file of tests, with an anchor at each test."""
    if app.builder.format != "html":
        return
    register = read_register()
    entries = register["claims"] + register["findings"]
    for file in sorted({test.partition("::")[0] for entry in entries for test in entry["tests"]}):
        code = (ROOT / file).read_text(encoding="utf-8")
        yield page_of(file), {"parents": [], "title": file, "body": listing(app, file, code)}, "page.html"


def listing(app: Sphinx, file: str, code: str) -> str:
    """The code in colours."""
    before, pre, after = app.builder.highlighter.highlight_block(code, "python").partition("<pre>")
    lines = after.splitlines()
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            lines[node.lineno - 1] = f'<span id="{node.name}"></span>{lines[node.lineno - 1]}'
    return f"<h1>The tests of {file}</h1>{before}{pre}" + "\n".join(lines)
