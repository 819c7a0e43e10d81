"""The built site as its readers meet it: `make site-test`.

A headless browser opens every page with the network cut off, in light and dark,
at the width of a desk and of a phone, from a server and straight from the disk.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.book.site import LOOKS, PAGES, PROPER, ROOT, SITE, WRITTEN, parsed

pytestmark = pytest.mark.site

#: What the fonts of the book lack, in names and methods of the register and in the table of timings
STRANGE = "⟨⟩⁻∓✅"
MAX_WEIGHT = 600_000  # bytes of a page, compressed
WITH_SLIDERS = [page for page in PAGES if parsed(page).select(".lk-slider")]

# What a formula that was not typeset looks like, whatever the reason
FORMULAS = """() => [...document.querySelectorAll(".math")].map(node => ({
  text: node.textContent.slice(0, 60),
  typeset: node.querySelector("mjx-container") !== null,
  error: node.querySelector("mjx-merror, [data-mjx-error]") !== null }))"""
# Displayed formulas that one would have to scroll to read to the end
CLIPPED = """() => [...document.querySelectorAll("div.math mjx-container")]
  .filter(node => node.scrollWidth > node.clientWidth + 1).map(node => node.textContent.slice(0, 60))"""
# The sizes of formulas, in per cent of the text around them
SIZES = """() => [...new Set([...document.querySelectorAll("mjx-container")]
  .map(node => node.style.fontSize))]"""
# The letters of the text, those of each font family in an element of their own
LETTERS = """() => {
  const families = {}, texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { data, parentElement } = texts.currentNode;
    if (parentElement.closest("script, style, noscript, pre, svg, .math")) continue;
    const family = getComputedStyle(parentElement).fontFamily;
    families[family] = new Set([...(families[family] ?? ""), ...data.replace(/\\s/g, "")]);
  }
  for (const [family, letters] of Object.entries(families)) {
    const sample = document.body.appendChild(document.createElement("p"));
    sample.className = "letters";
    sample.style.fontFamily = family;
    sample.textContent = [...letters].join("");
  } }"""
IMAGES = """() => [...document.images].filter(image => image.src).map(image => ({
  src: image.src.slice(0, 100), alt: image.alt, loaded: image.complete && image.naturalWidth > 0 }))"""
# Opens whatever is folded (solutions, hidden cells), at once
UNFOLD = """() => {
  document.querySelectorAll("details").forEach(node => { node.open = true });
  document.querySelectorAll(".toggle.toggle-hidden button.toggle-button").forEach(node => node.click());
  document.getAnimations().forEach(animation => animation.finish()) }"""

# Without "preload" axe fetches style sheets of style sheets by wrong addresses
AXE = {"preload": False, "resultTypes": ["violations"]}


def test_there_is_a_book():
    """The other tests run over these lists: none may be empty."""
    assert "book/index.html" in PAGES
    assert len(WRITTEN) >= 5
    assert WITH_SLIDERS


def look(tab, page):
    """Assert what holds for a page in every view."""
    formulas = tab.evaluate(FORMULAS)
    assert [formula for formula in formulas if formula["error"] or not formula["typeset"]] == []
    assert len(formulas) == len(parsed(page).select(".math"))
    assert len(tab.evaluate(SIZES)) <= 1
    assert [image for image in tab.evaluate(IMAGES) if not image["loaded"]] == []
    scroll, width = tab.evaluate(
        "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert scroll <= width, f"{page} scrolls sideways: {scroll} > {width} px"


@pytest.mark.parametrize(("page", "view"), LOOKS)
def test_page(page, view, visit, screenshots):
    """It renders, is accessible (axe-core finds nothing serious or critical), and has its picture taken."""
    tab = visit(page, view)
    look(tab, page)
    if view != "phone":
        assert tab.evaluate(CLIPPED) == []
    assert tab.evaluate("document.documentElement.dataset.theme") == ("dark" if view == "dark" else "light")
    name = page.removesuffix(".html").replace("/", "-")
    tab.screenshot(path=screenshots / f"{name}-{view}.png", full_page=True)
    assert visit.troubles == []
    tab.evaluate(UNFOLD)
    grave = [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for violation in Axe().run(tab, options=AXE).response["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
    assert grave == []


def foreign_letters(tab):
    """Letters of the text that are not shown in a font of the book, by the family they ask for."""
    tab.evaluate(LETTERS)
    tab.evaluate("document.fonts.ready")
    inspector = tab.context.new_cdp_session(tab)
    for domain in ("DOM", "CSS"):
        inspector.send(f"{domain}.enable")
    top = inspector.send("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
    samples = inspector.send("DOM.querySelectorAll", {"nodeId": top, "selector": ".letters"})["nodeIds"]
    assert samples
    for sample, text in zip(samples, tab.locator(".letters").all_text_contents(), strict=True):
        fonts = inspector.send("CSS.getPlatformFontsForNode", {"nodeId": sample})["fonts"]
        foreign = {font["familyName"]: font["glyphCount"] for font in fonts if not font["isCustomFont"]}
        if sum(foreign.values()) > sum(letter in STRANGE for letter in text):
            yield foreign, text


@pytest.mark.parametrize("page", PROPER)
def test_page_opened_from_disk(page, visit):
    """It looks as from a server, and its lines do not depend on the fonts of this machine."""
    tab = visit(page, from_disk=True)
    look(tab, page)
    assert list(foreign_letters(tab)) == []
    assert visit.troubles == []


def test_first_page(visit):
    tab = visit("index.html", from_disk=True)
    tab.wait_for_url("**/book/index.html")
    assert visit.troubles == []


@pytest.mark.parametrize(("view", "from_disk"), [("light", False), ("dark", True), ("phone", False)])
@pytest.mark.parametrize("page", WITH_SLIDERS)
def test_sliders_move_the_picture(page, view, from_disk, visit):
    """By keyboard and by mouse, each control by itself; and the assistive text moves along."""
    tab = visit(page, view, from_disk=from_disk)
    controls = tab.locator(".lk-slider input[type=range]")
    assert controls.count() == len(parsed(page).select(".lk-slider input[type=range]")) > 0
    for number in range(controls.count()):
        control = controls.nth(number)
        picture = control.locator("xpath=ancestor::*[contains(@class, 'lk-slider')]").locator(
            ".lk-frame:visible"
        )
        control.scroll_into_view_if_needed()

        def state(control=control, picture=picture):
            assert picture.count() == 1
            return picture.screenshot(), control.get_attribute("aria-valuetext"), control.input_value()

        before = state()
        at_end = control.input_value() == control.get_attribute("max")
        control.focus()
        control.press("ArrowLeft" if at_end else "ArrowRight")
        by_key = state()
        assert by_key[0] != before[0]
        assert by_key[1] != before[1]
        control.press("ArrowRight" if at_end else "ArrowLeft")
        assert state()[1:] == before[1:]

        box = control.bounding_box()
        far = 2 if at_end else box["width"] - 2
        tab.mouse.click(box["x"] + far, box["y"] + box["height"] / 2)
        by_mouse = state()
        assert by_mouse[0] != before[0]
        assert by_mouse[1] != before[1]
    assert visit.troubles == []


def test_search_finds_a_word(visit):
    tab = visit("search.html?q=chain")
    tab.locator("#search-results li").first.wait_for()
    # Sphinx takes the dot of `#lattice.chain` for a class, warns, and shows the head of the page instead
    assert [trouble for trouble in visit.troubles if "Anchored content block" not in trouble] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_and_anchors_resolve(page):
    broken = []
    for tag in parsed(page).find_all(["a", "link", "script", "img", "source", "use", "iframe"]):
        link = tag.get("href") or tag.get("src")
        if link is None or link.startswith("data:"):
            continue
        address = urlsplit(urljoin(f"site:/{page}", link) if not urlsplit(link).scheme else link)
        if address.scheme in ("http", "https", "mailto"):
            if tag.name != "a" and tag.get("rel") != ["canonical"]:
                broken.append(f"asset from elsewhere: {link}")
            continue
        path = unquote(urlsplit(link).path)
        target = (SITE / page).parent / path if path else SITE / page
        if not target.is_file():
            broken.append(f"no file: {link}")
        elif address.fragment and target.suffix == ".html":
            inside = parsed(target.resolve().relative_to(SITE).as_posix())
            if not inside.find(id=unquote(address.fragment)):
                broken.append(f"no anchor: {link}")
    assert broken == []


@pytest.mark.parametrize("page", PAGES)
def test_identifiers_are_unique(page):
    identifiers = [tag["id"] for tag in parsed(page).find_all(id=True)]
    assert sorted(name for name in set(identifiers) if identifiers.count(name) > 1) == []


@pytest.mark.parametrize("page", PAGES)
def test_pictures_have_a_text(page):
    assert [str(tag)[:100] for tag in parsed(page).find_all("img") if not tag.get("alt", "").strip()] == []
    assert [str(tag)[:100] for tag in parsed(page).select("[role=img]") if not tag.get("aria-label")] == []


@pytest.mark.parametrize("page", PAGES)
def test_weight(page):
    assert len(gzip.compress((SITE / page).read_bytes())) < MAX_WEIGHT


@pytest.mark.parametrize("page", WRITTEN)
def test_notebook_download(page):
    """Every page offers a notebook; if it has cells, they are executed."""
    links = [a["href"] for a in parsed(page).find_all("a", href=True) if a["href"].endswith(".ipynb")]
    assert len(links) == 1
    path = ((SITE / page).parent / unquote(links[0])).resolve()
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    source = Path(ROOT / page).with_suffix(".md").read_text("utf-8")
    assert len(cells) == source.count("\n```{code-cell}")
    assert all(cell.execution_count for cell in cells)
    assert not cells or any(cell.outputs for cell in cells)
    prose = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert not cells or "{glue:text}" not in prose
