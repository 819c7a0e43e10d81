"""How the pages look: what stands together, what is printed, where numbers stand on a phone."""

from __future__ import annotations

import sys

import pytest

from tests.book.site import ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))

from book_site import mended

CHAPTER = "book/noisy-chains/conductivity.html"
ASKING = "book/noisy-chains/between-two-baths.html"  # before its slider moves


def formula(letter):
    return rf'<span class="math notranslate nohighlight">\({letter}\)</span>'


@pytest.mark.parametrize(
    ("before", "after"),
    [("", ","), ("(", ""), ("(", ");"), ("", "-th"), ("", "’s."), ("", "?”"), ("[", "]")],
)
def test_signs_and_brackets_are_bound_to_their_formula(before, after):
    text = f"<p>word {before}{{}}{after} word</p>"
    bound = f'<span class="bound">{before}{formula("x")}{after}</span>'
    assert mended(text.format(formula("x"))) == f"<p>word {bound} word</p>"


@pytest.mark.parametrize("text", ["word {} word", "word, {} &amp; word", "{}", "{}<em>, word</em>"])
def test_nothing_else_is_bound(text):
    assert mended(text.format(formula("x"))) == text.format(formula("x"))


def test_each_formula_is_bound_by_itself():
    found = mended(f"{formula('x')}, {formula('y')} and ({formula('z')})")
    bound = '<span class="bound">'
    assert found == f"{bound}{formula('x')},</span> {formula('y')} and {bound}({formula('z')})</span>"


def test_a_solution_is_called_by_that_word_alone():
    title = '<p class="admonition-title">Solution{}</p>'
    link = ' to<a class="reference internal" href="#a"> Exercise 1 (Count)</a>'
    assert mended(title.format(link)) == title.format("")


# Of each piece of text whether it is one line high
LINES = """() => [...document.querySelectorAll("p .bound")].filter(box => box.checkVisibility()).map(box => {
  const words = [...box.childNodes].map(node => {
    const range = document.createRange();
    range.selectNodeContents(node);
    return range.getBoundingClientRect();
  });
  return Math.max(...words.map(each => each.top)) < Math.min(...words.map(each => each.bottom)); })"""
BELOW = """() => [...document.querySelectorAll("div.math .eqno")].filter(box => box.checkVisibility())
  .map(box => box.getBoundingClientRect().top
    >= box.parentElement.querySelector("mjx-container").getBoundingClientRect().bottom - 1)"""
SHOWN = """selector => [...document.querySelectorAll(selector)]
  .filter(box => box.checkVisibility()).map(box => box.innerText)"""


@pytest.mark.site
def test_no_line_ends_between_a_formula_and_its_sign(visit, server):
    together = visit(server, CHAPTER, "phone").tab.evaluate(LINES)
    assert len(together) > 20
    assert all(together)


@pytest.mark.site
@pytest.mark.parametrize(("view", "below"), [("phone", True), ("light", False)])
def test_numbers_stand_below_formulas_on_a_phone(view, below, visit, server):
    found = visit(server, CHAPTER, view).tab.evaluate(BELOW)
    assert found
    assert set(found) == {below}


@pytest.mark.site
@pytest.mark.parametrize("page", [CHAPTER, "book/claims.html"])
def test_paper_has_a_title_and_no_furniture(page, visit, server):
    tab = visit(server, page, "light").tab
    (title,) = tab.evaluate(SHOWN, ".bd-article h1")
    assert tab.evaluate(SHOWN, ".bd-article :is(button, select)")
    tab.emulate_media(media="print")
    assert tab.evaluate(SHOWN, "h1") == [title]
    assert tab.evaluate(SHOWN, "button, input, select, nav, label:not(.lk-choices label)") == []


@pytest.mark.site
def test_a_question_opens_without_a_jump_and_leads_to_the_slider(visit, server):
    tab = visit(server, ASKING, "phone").tab
    slider = tab.locator(".lk-slider:has(.lk-question)").first
    stage, choice = slider.locator(".lk-stage"), slider.locator(".lk-choices label").first
    assert choice.bounding_box()["height"] >= 36
    choice.click()
    before = stage.bounding_box()["y"] + tab.evaluate("scrollY")
    slider.locator("button").click()
    assert abs(stage.bounding_box()["y"] + tab.evaluate("scrollY") - before) < 3
    assert tab.evaluate("document.activeElement.type") == "range"
    assert choice.evaluate("label => getComputedStyle(label).fontWeight") == "700"


@pytest.mark.site
def test_tables_of_notation_are_stacked_on_a_phone(visit, server):
    tab = visit(server, "book/notation.html", "phone").tab
    tables = tab.locator(".stacked table").all()
    assert len(tables) >= 5
    assert not any(table.evaluate("table => table.scrollWidth > table.clientWidth") for table in tables)
    first, second = tab.locator(".stacked tbody tr").last.locator("td").all()[:2]
    assert second.bounding_box()["y"] >= first.bounding_box()["y"] + first.bounding_box()["height"]
    assert second.evaluate("cell => getComputedStyle(cell, '::before').content").startswith('"here')
