"""What is checked of a page, open in a browser or as it is written: each function returns the faults."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from bs4 import BeautifulSoup

from tests.book.site import CHANGED, Visit

#: What the fonts of the book lack, in names and methods of the register
STRANGE = "⟨⟩⁻∓"
LEGIBLE = 9  # pixels
CONTROLS = ".lk-slider input[type=range]"

# What a formula that was not typeset looks like, whatever the reason
FORMULAS = """() => [...document.querySelectorAll(".math")].map(node => ({
  text: node.textContent.slice(0, 60),
  typeset: node.querySelector("mjx-container") !== null,
  error: node.querySelector("mjx-merror, [data-mjx-error]") !== null }))"""
# Formulas wider than their box, in lines and displayed, and whether one sees that and can scroll to the end
CUT = """() => [...document.querySelectorAll("span.math, div.math mjx-container")].map(box => {
  const width = box.matches("span.math") ? box.firstElementChild?.offsetWidth ?? 0 : box.scrollWidth;
  const { overflowX, maskImage } = getComputedStyle(box);
  return { cut: width > box.clientWidth + 1, text: box.textContent.slice(0, 60),
    cue: overflowX === "auto" && maskImage !== "none" && box.tabIndex === 0 } })"""
# The smallest letters of each figure, in pixels of the screen: matplotlib draws letters of 12 points as
# outlines scaled by 0.12
LABELS = """async () => {
  const found = [];
  for (const figure of document.querySelectorAll(".cell_output img[src$='.svg'], .lk-frame svg")) {
    const drawn = figure.closest(".lk-slider") ?? figure;  // its frames share what they have in common
    const code = figure.src ? await (await fetch(figure.src)).text() : drawn.outerHTML;
    const points = [...code.matchAll(/scale\\(0?(\\.\\d+) -0?\\.\\d+\\)/g)].map(each => 100 * each[1]);
    const width = figure.getBoundingClientRect().width;
    const pixels = width / code.match(/viewBox="0 0 ([\\d.]+)/)[1];
    if (width && points.length) found.push([Math.min(...points) * pixels, figure.alt ?? "slider"]);
  }
  return found }"""
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
IMAGES = """() => [...document.images].filter(image => image.src)
  .filter(image => !image.complete || image.naturalWidth === 0).map(image => image.src.slice(0, 100))"""
WIDTHS = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
# Opens whatever is folded (solutions, hidden cells), at once
UNFOLD = """() => {
  document.querySelectorAll("details").forEach(node => { node.open = true });
  document.querySelectorAll(".toggle.toggle-hidden button.toggle-button").forEach(node => node.click());
  document.getAnimations().forEach(animation => animation.finish()) }"""
# Elements are of one kind if tags, classes, styles and colours of them and of all around them agree; inside
# a formula colours alone count.
KINDS = """
  const kinds = new Map(), numbers = new Map(), counts = new Map();
  const kind = node => {
    if (!node) return 0;
    if (!kinds.has(node)) {
      const around = kind(node.parentElement), { color, backgroundColor, fontSize } = getComputedStyle(node);
      const glyph = node.closest("mjx-math"), own = [around, color, backgroundColor];
      if (!glyph) own.push(fontSize, node.tagName, node.getAttribute("class"), node.getAttribute("style"));
      const alike = glyph && color === getComputedStyle(node.parentElement).color
        && backgroundColor === "rgba(0, 0, 0, 0)";
      if (!alike && !numbers.has(own.join())) numbers.set(own.join(), numbers.size + 1);
      kinds.set(node, alike ? around : numbers.get(own.join()));
    }
    return kinds.get(node) };
"""
# Nine tenths of a page are the insides of formulas and the words of code.  One word of each kind stays, the
# others leave their text.  A formula becomes a box of its size; the first in each kind of colours becomes
# letters in these colours, since its glyphs are no text for axe.
THIN = f"""() => {{ {KINDS}
  const first = node => !counts.has(kind(node)) && counts.set(kind(node), 1);
  const words = [...document.querySelectorAll("pre span, code span, dt span")];
  const changes = words.filter(word => word.textContent.length < 2 || !first(word))
    .map(word => () => word.replaceWith(...word.childNodes));
  for (const formula of document.querySelectorAll("mjx-container")) {{
    if (formula.querySelector("a, [href], [role], [tabindex]")) continue;
    const {{ width, height }} = formula.firstChild.getBoundingClientRect();
    const box = document.createElement("span");
    for (const glyph of [...formula.querySelectorAll("mjx-c, mjx-utext")].filter(first)) {{
      let letters = "letters ";
      for (let node = glyph; node !== formula; node = node.parentElement) {{
        const {{ color, backgroundColor }} = node.style, around = document.createElement("span");
        if (color || backgroundColor) {{
          Object.assign(around.style, {{ color, backgroundColor }});
          around.append(letters);
          letters = around;
        }}
      }}
      box.append(letters);
    }}
    const wide = formula.scrollWidth > formula.clientWidth ? formula.scrollWidth : width;
    box.style = "display: inline-block; line-height: 1;";
    if (!box.innerHTML) {{
      box.style.cssText += `width: ${{wide}}px; height: ${{height}}px`;
      box.role = "img";
      box.ariaLabel = "formula";
    }}
    changes.push(() => formula.replaceChildren(box));
  }}
  changes.forEach(change => change());
  scrollTo(0, 0) }}"""
# What axe-core finds, contrast on three of each kind: on hundreds of paragraphs it finds the same.  It
# asks for two letters.
VIOLATIONS = f"""async options => {{ {KINDS}
  const legible = node => node.checkVisibility({{ visibilityProperty: true }})
    && (node.matches("input, select, textarea") || [...node.childNodes].some(
      child => child.nodeType === Node.TEXT_NODE && child.data.trim().length > 1));
  for (const node of document.querySelectorAll("body *")) {{
    const number = legible(node) ? (counts.get(kind(node)) ?? 0) + 1 : Infinity;
    node.toggleAttribute("data-sample", number <= 3);
    if (number <= 3) counts.set(kind(node), number);
  }}
  axe.configure({{ rules: [{{ id: "color-contrast", selector: "[data-sample]" }}] }});
  return (await axe.run(options)).violations }}"""

# Without "preload" axe fetches style sheets of style sheets by wrong addresses
AXE = {"preload": False, "resultTypes": ["violations"]}


@cache
def parsed(file: Path) -> BeautifulSoup:
    """A page as it is written."""
    return BeautifulSoup(file.read_text("utf-8"), "html.parser")


def looks(visit: Visit, views: list[str], source: BeautifulSoup, picture: Path) -> list[str]:
    """Look at a page in several views: it is drawn, its picture is taken, its sliders move."""
    faults = []
    for view in views:
        visit.change(view)
        found = undrawn(visit, len(source.select(".math")))
        visit.tab.screenshot(path=f"{picture}-{view}.jpeg", full_page=True, type="jpeg", quality=80)
        found += stuck_sliders(visit, len(source.select(CONTROLS)))
        faults += [f"{view}: {fault}" for fault in found]
    return faults


def undrawn(visit: Visit, formulas: int) -> list[str]:
    """Formulas that are not typeset (there must be so many), pictures that are missing, excess width."""
    tab = visit.tab
    found = tab.evaluate(FORMULAS)
    faults = [f"not typeset: {each}" for each in found if each["error"] or not each["typeset"]]
    if len(found) != formulas:
        faults.append(f"{len(found)} formulas, {formulas} in the source")
    if len(sizes := tab.evaluate(SIZES)) > 1:
        faults.append(f"formulas of sizes {sizes}")
    faults += [f"not loaded: {source}" for source in tab.evaluate(IMAGES)]
    scroll, width = tab.evaluate(WIDTHS)
    if scroll > width:
        faults.append(f"scrolls sideways: {scroll} > {width} px")
    faults += [f"too wide: {each['text']}" for each in cut_formulas(visit)]
    theme = tab.evaluate("document.documentElement.dataset.theme")
    if theme != ("dark" if visit.view == "dark" else "light"):
        faults.append(f"the theme is {theme}")
    return faults


def cut_formulas(visit: Visit) -> list[dict[str, Any]]:
    """Formulas wider than their box; on a phone those that do not say so or cannot be scrolled."""
    found = visit.tab.evaluate(CUT)
    return [each for each in found if each["cut"] and not (visit.view == "phone" and each["cue"])]


def unfolded(visit: Visit) -> list[str]:
    """What is too wide when all that was folded is open, and labels of figures that are too small."""
    visit.tab.evaluate(UNFOLD)
    visit.tab.evaluate(CHANGED)
    scroll, width = visit.tab.evaluate(WIDTHS)
    faults = [f"unfolded, scrolls sideways: {scroll} > {width} px"] if scroll > width else []
    faults += [f"unfolded, too wide: {each['text']}" for each in cut_formulas(visit)]
    faults += [
        f"labels of {size:.1f} px: {figure[:60]}"
        for size, figure in visit.tab.evaluate(LABELS)
        if size < LEGIBLE
    ]
    return [f"{visit.view}: {fault}" for fault in faults]


def stuck_sliders(visit: Visit, controls: int) -> list[str]:
    """So many controls move the picture and the assistive text, each by itself, by keyboard and by mouse."""
    faults = closed_sliders(visit)
    found = visit.tab.locator(CONTROLS)
    if found.count() != controls:
        faults.append(f"{found.count()} controls, {controls} in the source")
    for number in range(found.count()):
        control = found.nth(number)
        slider = control.locator("xpath=ancestor::*[contains(@class, 'lk-slider')]")
        picture = slider.locator(".lk-frame:visible")
        control.scroll_into_view_if_needed()

        def state(control: Any = control, picture: Any = picture) -> list[Any]:
            drawn = picture.count() == 1
            return [
                picture.inner_html() if drawn else None,
                picture.screenshot() if drawn else None,
                control.get_attribute("aria-valuetext"),
                control.input_value(),
            ]

        def moved(now: list[Any], before: list[Any]) -> bool:
            return None not in now and all(new != old for new, old in zip(now, before, strict=True))

        before = state()
        at_end = before[-1] == control.get_attribute("max")
        control.focus()
        control.press("ArrowLeft" if at_end else "ArrowRight")
        by_key = state()
        control.press("ArrowRight" if at_end else "ArrowLeft")
        if not moved(by_key, before) or state()[2:] != before[2:]:
            faults.append(f"control {number} does not follow the keyboard")
        box = control.bounding_box()
        visit.tab.mouse.click(box["x"] + (2 if at_end else box["width"] - 2), box["y"] + box["height"] / 2)
        if not moved(state(), before):
            faults.append(f"control {number} does not follow the mouse")
    return faults


def closed_sliders(visit: Visit) -> list[str]:
    """Questions that do not lock their slider, or whose answer does not open it, by keyboard."""
    faults = []
    for slider in visit.tab.locator(".lk-slider:has(.lk-question)").all():
        field, button = slider.locator(".lk-question input").first, slider.locator(".lk-question button")
        if field.is_disabled():  # opened in an earlier view
            continue
        stage, answer = slider.locator(".lk-stage"), slider.locator(".lk-answer")
        asked = stage.get_attribute("inert"), button.is_disabled(), answer.text_content()
        if field.get_attribute("type") == "text":
            field.fill("a prediction")
        else:
            field.focus()
            field.press("Space")
        button.press("Enter")
        if asked != ("", True, "") or stage.get_attribute("inert") is not None or not answer.text_content():
            faults.append(
                f"a question that locks or opens nothing: {slider.locator('p').first.text_content()}"
            )
    return faults


def inaccessible(visit: Visit, views: list[str]) -> list[str]:
    """What axe-core finds serious or critical, in several views.

    What is folded is opened, and of the insides of formulas and the words of code one of each kind
    stays: nothing can be looked at afterwards.
    """
    visit.tab.mouse.move(0, 0)  # what lies under it has other colours
    visit.tab.evaluate(UNFOLD)
    visit.tab.evaluate(THIN)
    visit.tab.evaluate(AXE_SCRIPT)
    faults = []
    for view in views:
        visit.change(view)
        faults += [
            f"{view}: {violation['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
            for violation in visit.tab.evaluate(VIOLATIONS, AXE)
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]
    return faults


def foreign_letters(visit: Visit) -> list[str]:
    """Letters of the text that are not shown in a font of the book, by the family they ask for."""
    tab, devtools = visit.tab, visit.devtools
    tab.evaluate(LETTERS)
    tab.evaluate("document.fonts.ready")
    for domain in ("DOM", "CSS"):
        devtools.send(f"{domain}.enable")
    top = devtools.send("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
    samples = devtools.send("DOM.querySelectorAll", {"nodeId": top, "selector": ".letters"})["nodeIds"]
    texts = tab.locator(".letters").all_text_contents()
    faults = [] if samples else ["no letters"]
    for sample, text in zip(samples, texts, strict=True):
        fonts = devtools.send("CSS.getPlatformFontsForNode", {"nodeId": sample})["fonts"]
        foreign = {font["familyName"]: font["glyphCount"] for font in fonts if not font["isCustomFont"]}
        if sum(foreign.values()) > sum(letter in STRANGE for letter in text):
            faults.append(f"foreign letters: {foreign} in {text}")
    return faults


@cache
def anchors(file: Path) -> frozenset[str]:
    return frozenset(tag["id"] for tag in parsed(file).find_all(id=True))


def broken_links(file: Path) -> list[str]:
    """Links of a page that lead nowhere, and what it loads from elsewhere."""
    faults = []
    for tag in parsed(file).find_all(["a", "link", "script", "img", "source", "use", "iframe"]):
        link = tag.get("href") or tag.get("src")
        if link is None or link.startswith("data:"):
            continue
        address = urlsplit(urljoin(file.as_uri(), link))
        target = Path(unquote(address.path))
        if address.scheme != "file":
            if tag.name != "a" and tag.get("rel") != ["canonical"]:
                faults.append(f"asset from elsewhere: {link}")
        elif not target.is_file():
            faults.append(f"no file: {link}")
        elif (
            address.fragment and target.suffix == ".html" and unquote(address.fragment) not in anchors(target)
        ):
            faults.append(f"no anchor: {link}")
    return faults


def mistakes(file: Path) -> list[str]:
    """What is wrong with a page as it is written: links, identifiers, texts of pictures."""
    source = parsed(file)
    identifiers = [tag["id"] for tag in source.find_all(id=True)]
    twice = sorted({name for name in identifiers if identifiers.count(name) > 1})
    silent = [tag for tag in source.find_all("img") if not tag.get("alt", "").strip()]
    silent += [tag for tag in source.select("[role=img]") if not tag.get("aria-label")]
    faults = [f"id twice: {name}" for name in twice] + [f"no text: {str(tag)[:100]}" for tag in silent]
    return broken_links(file) + faults
