"""The built site as its readers meet it: `make site-test`.

A headless browser opens every page with the network cut off, from a server and straight from the
disk, in light and dark, at the width of a desk and of a phone.  ``test_faults.py`` shows that what
is looked for here is found.
"""

from __future__ import annotations

import gzip

import pytest

from tests.book.checks import CONTROLS, foreign_letters, inaccessible, looks, mistakes, parsed, unfolded
from tests.book.site import LISTINGS, PAGES, PROPER, SITE, WRITTEN

pytestmark = pytest.mark.site

MAX_WEIGHT = 600_000  # bytes of a page, compressed


def test_there_is_a_book():
    """The other tests run over these lists: none may be empty."""
    assert "book/index.html" in PAGES
    assert len(WRITTEN) >= 5
    assert LISTINGS
    assert any(parsed(SITE / page).select(CONTROLS) for page in WRITTEN)


def picture(folder, page):
    return folder / page.removesuffix(".html").replace("/", "-")


@pytest.mark.parametrize("page", PROPER)
def test_page_from_the_server(page, visit, server, pictures):
    """It renders on a phone, unfolded too; axe-core finds nothing grave there, nor at a desk."""
    opened = visit(server, page, "phone")
    faults = looks(opened, ["phone"], parsed(SITE / page), picture(pictures, page))
    faults += unfolded(opened)
    faults += inaccessible(opened, ["phone", "light", "dark"])
    assert faults + opened.troubles == []


@pytest.mark.parametrize("page", PROPER)
def test_page_from_the_disk(page, visit, pictures):
    """It renders at a desk in both themes, and its lines do not depend on the fonts of this machine."""
    opened = visit(SITE.as_uri(), page, "dark")
    faults = looks(opened, ["dark", "light"], parsed(SITE / page), picture(pictures, page))
    faults += foreign_letters(opened)
    assert faults + opened.troubles == []


@pytest.mark.parametrize("page", LISTINGS)
def test_listing_of_a_module(page, visit, server, pictures):
    """They are alike: one view will do."""
    opened = visit(server, page, "light")
    faults = looks(opened, ["light"], parsed(SITE / page), picture(pictures, page))
    faults += inaccessible(opened, ["light"])
    assert faults + opened.troubles == []


def test_first_page(visit):
    opened = visit(SITE.as_uri(), "index.html", "light")
    opened.tab.wait_for_url("**/book/index.html")
    assert opened.troubles == []


def test_search_finds_a_word(visit, server):
    """In pages before names of the package; excerpts are text; on the page only text is marked."""
    opened = visit(server, "search.html?q=conductivity", "light")
    results = opened.tab.locator("#search-results li")
    results.first.locator("p.context").wait_for()
    opened.tab.locator("#search-results li:last-child a[href*='#lattice']").wait_for()
    names = ["lattice." in link.get_attribute("href") for link in results.locator("a").all()]
    assert names == sorted(names)
    assert {True, False} == set(names)
    assert not any(".pdf" in text for text in results.locator("p.context").all_text_contents())
    results.locator("a").first.click()
    marked = opened.tab.locator("article span.highlighted")
    marked.first.wait_for()
    clear = "rgba(0, 0, 0, 0)"
    colour = "node => getComputedStyle(node).backgroundColor"
    assert marked.first.evaluate(colour) != clear
    aside = opened.tab.locator(".bd-sidebar-primary span.highlighted").all()
    assert {mark.evaluate(colour) for mark in aside} == {clear}
    assert opened.troubles == []


@pytest.mark.parametrize("page", PAGES)
def test_links_identifiers_and_texts_of_pictures(page):
    assert mistakes(SITE / page) == []


@pytest.mark.parametrize("page", PAGES)
def test_weight(page):
    assert len(gzip.compress((SITE / page).read_bytes())) < MAX_WEIGHT
