"""The extensions at work in a small project: what Sphinx tells them, and what they have it do."""

from __future__ import annotations

import io
import re
import sys

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from tests.book.site import ROOT

sys.path.insert(0, str(ROOT / "book"))
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import _build
import claims
import teacher

PAGES = {
    "index": "# A book\n\n```{toctree}\nbook/part/one\nbook/part/two\n```\n",
    "book/part/one": "# One\n\n(a-label)=\n## A section\n\n```{exercise}\n:label: ex-one\nHow many?\n```\n",
    "book/part/two": "# Two\n\nMore.\n",
}


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Render the project in one of the editions: the text of its first chapter, and all warnings."""
    for page, text in PAGES.items():
        path = tmp_path / "source" / f"{page}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    (tmp_path / "ex-one.md").write_text("There are seven.", "utf-8")
    monkeypatch.setattr(teacher, "SOLUTIONS", tmp_path)
    monkeypatch.setattr(claims, "REGISTER", tmp_path / "source" / "book" / "claims.yml")

    def built(edition: str, section: str = "part/one#a-label") -> tuple[str, str]:
        entry = {"id": "x-1", "section": section}
        monkeypatch.setattr(claims, "register", lambda: {"claims": [entry], "findings": []})
        warnings = io.StringIO()
        extensions = ["myst_parser", "sphinx_exercise", "teacher", "claims"]
        with patch_docutils(), docutils_namespace():
            app = Sphinx(
                tmp_path / "source",
                None,
                tmp_path / "html",
                tmp_path / "doctrees",
                "html",
                confoverrides={"extensions": extensions},
                status=None,
                warning=warnings,
                freshenv=True,
                tags=[edition],
            )
            app.build()
        return app.env.get_doctree("book/part/one").astext(), warnings.getvalue()

    return built


def test_each_extension_has_a_line_in_the_readme():
    folder = ROOT / "book" / "_ext"
    listed = re.findall(r"^\| `(\w+\.py)` \|", (folder / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in folder.glob("*.py"))


@pytest.mark.parametrize("edition", list(_build.SITES))
def test_only_the_teacher_sees_solutions_for_assignment(build, edition):
    text, warnings = build(edition)
    assert "How many?" in text
    assert ("There are seven." in text) is (edition == "teacher")
    assert warnings == ""


@pytest.mark.parametrize("section", ["part/two#a-label", "one#a-label"])
def test_a_claim_on_another_page_than_the_register_says_is_noticed(build, section):
    _, warnings = build("public", section)
    assert f"x-1: section {section} is on page book/part/one" in warnings
