"""The page of our own mistakes and the form to report them by belong together, and to the version."""

import re

import pytest
import yaml

import lattice
from book.register import ROOT

FORM = ROOT / ".github" / "ISSUE_TEMPLATE" / "mistake.yml"
PAGE = ROOT / "book" / "mistakes.md"


def faults(form, page, version):
    """Where page and form say different things, or the page does not know the version."""
    found = [] if f"*{form['name']}*" in page else [f"the page does not name the form {form['name']!r}"]
    asked = [part for part in form["body"] if part["type"] != "markdown"]
    for part in asked:
        if part.get("validations") != {"required": True}:
            found.append(f"{part['id']} may be left out")
    listed = re.findall(r"^\d+\. (?:The )?([^:.]+)", page, re.MULTILINE)
    labels = [part["attributes"]["label"] for part in asked]
    if [name.lower() for name in labels] != [name.lower() for name in listed]:
        found.append(f"the form asks for {labels}, the page for {listed}")
    if not re.search(rf"^## Version {re.escape(version)}$", page, re.MULTILINE):
        found.append(f"the page has no heading for version {version}")
    return found


@pytest.fixture
def form():
    return yaml.safe_load(FORM.read_text(encoding="utf-8"))


def test_page_form_and_version_agree(form):
    assert faults(form, PAGE.read_text(encoding="utf-8"), lattice.__version__) == []


def test_what_does_not_agree_is_seen(form):
    page = PAGE.read_text(encoding="utf-8")
    assert len(faults(form, page, "0.0.9")) == 1
    assert len(faults(form | {"name": "Another"}, page, lattice.__version__)) == 1
    assert len(faults(form, page.replace("2. The place", "2. The page"), lattice.__version__)) == 1
    form["body"][-1].pop("validations")
    assert faults(form, page, lattice.__version__) == ["evidence may be left out"]
