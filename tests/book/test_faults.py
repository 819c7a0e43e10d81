"""Whatever `make site-test` looks for is found: a page with one fault of each kind."""

from __future__ import annotations

import re

import pytest

from tests.book.checks import foreign_letters, inaccessible, looks, mistakes, parsed, unfolded
from tests.book.conftest import served
from tests.book.site import SITE

pytestmark = pytest.mark.site

PAGE = "book/how-to-read.html"
STYLE = """
  html[data-theme="dark"] #dim, html[data-theme="dark"] .dim { color: #333 }
  pre .faint { color: #ddd }
  @media (max-width: 600px) { #box { overflow: auto; height: 3em } }
  @media (min-width: 600px) { .narrow-only { display: none } }
  span.stuck { overflow: hidden !important }
"""
SCRIPT = 'console.error("an error"); fetch("https://example.net/data").catch(() => {}); undefined.x'
LONG = "+".join(f"x_{{{number}}}" for number in range(60))
STILL = '<div class="lk-frame">Still</div>'
WORDS = '<span class="n">name</span>\n' * 50
# What is put into the page, and what is said about it: from the server, from the disk, about the file
FAULTS = [
    # contrast: of text, of words of code, of formulas; in both themes, in one, where it is folded
    (
        '<p id="pale" style="color: #ccc">Pale.</p>',
        [r"^light: color-contrast: .*id=.pale", r"^phone: .*id=.pale"],
    ),
    ('<p id="dim">Dim.</p>', [r"^dark: color-contrast: .*id=.dim"]),
    (
        '<details><summary>More</summary><p id="folded" style="color: #ccc">Pale.</p></details>',
        ["id=.folded"],
    ),
    (f'<pre>{WORDS}<span class="n faint">name</span></pre>', [r"^light: color-contrast: .*n faint"]),
    (f'<pre>{WORDS}<span class="n dim">name</span></pre>', [r"^dark: color-contrast: .*n dim"]),
    (
        r'<p><span class="math">\(\color{#ddd}{x}\)</span></p>',
        [r"^light: color-contrast: <span style=.color: rgb\(221"],
    ),
    ('<p class="dim"><span class="math">\\(x\\)</span></p>', ["^dark: color-contrast: <span[^>]*>letters"]),
    # formulas
    (f'<div class="math">\\[{LONG}\\]</div>', ["^dark: too wide", "^light: too wide"]),
    (
        f'<p><span class="math">\\({LONG.replace("x", "y")}\\)</span></p>',
        ["^dark: too wide: .*y", "^light: .*y"],
    ),
    (f'<p><span class="math stuck">\\({LONG.replace("x", "z")}\\)</span></p>', ["^phone: too wide: .*z"]),
    (r'<p><span class="math">\(\frac{1}\)</span></p>', ["^phone: not typeset: .*'error': True"]),
    (r'<p><span class="math">x^2</span></p>', ["not typeset: .*x.2"]),
    # the network
    (
        '<img src="https://example.org/a.png" alt="A">',
        ["^tried to reach https://example.org", "asset from elsewh"],
    ),
    (
        '<img src="http://192.0.2.1/a.png" alt="A">',
        ["^tried to reach http://192.0.2.1", "not loaded: http://192"],
    ),
    (
        f"<script>{SCRIPT}</script>",
        ["^tried to reach https://example.net", "^an error$", "^uncaught .*undefined"],
    ),
    # pictures
    ('<img src="nothing.png" alt="A">', ["^phone: not loaded: .*nothing", "^404 ", "no file: nothing.png"]),
    ('<img src="/_static/favicon.svg" alt="A">', [r"^light: not loaded: file:///_static/favicon\.svg"]),
    ('<img src="../_static/favicon.svg">', ["^no text: <img", "^light: image-alt"]),
    ('<div role="img">A</div>', ["^no text: <div"]),
    # width
    ('<div style="width: 500px">Wide</div>', ["^phone: scrolls sideways"]),
    (
        f'<div id="box"><div style="width: 450px">{"<p>Words.</p>" * 9}</div></div>',
        ["^phone: scrollable-region-focusable: .*id=.box"],
    ),
    (
        '<details><summary>More</summary><div style="width: 700px">Wide</div></details>',
        ["^phone: unfolded, scrolls sideways: 7"],
    ),
    (
        '<p class="lk-frame"><svg viewBox="0 0 500 9" width="500"><g transform="scale(0.12 -0.12)"/></svg>',
        [r"^phone: labels of 8\.\d px"],
    ),
    # sliders, letters, links, identifiers
    (
        f"""<div class="lk-slider">{STILL}{STILL}{STILL}<input type="range" aria-label="A" min="0"
        max="2" value="0" data-texts='["0", "1", "2"]'><output></output></div>""",
        ["^phone: control 0 .* keyboard", "^dark: control 0 .* mouse", "^light: control 0 .* mouse"],
    ),
    (
        f"""<div class="lk-slider"><div class="lk-question"><p>Why?</p><input type="radio" aria-label="A">
        <button>Go</button><p class="lk-answer"></p></div><div class="lk-stage">{STILL}</div></div>""",
        ["^phone: a question that locks or opens nothing: Why"],
    ),
    ("<p>♞</p>", ["foreign letters: .*♞"]),
    ('<p><a href="nowhere.html">A</a></p>', ["no file: nowhere.html"]),
    (
        '<p><a href="#nowhere">A</a> <a href="claims.html#nowhere">B</a></p>',
        ["no anchor: #n", "no anchor: claims"],
    ),
    ('<p id="same">A</p><p id="same">B</p>', ["id twice: same"]),
    ('<button class="narrow-only"></button>', ["^phone: button-name: .*narrow-only"]),
]
# and what is not said
ABSENT = [
    "^light: .*id=.dim",
    "^phone: .*id=.dim",
    "^light: scrolls",
    "^(light|dark): button-name",
    "^light: scrollable",
    "^phone: .*too wide: .*[xy]",
    "^phone: scrolls sideways: 7",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The site with the faults in one of its pages."""
    folder = tmp_path_factory.mktemp("site")
    for path in [*SITE.iterdir(), *(SITE / "book").iterdir()]:
        if path != SITE / "book":
            (folder / path.relative_to(SITE)).parent.mkdir(exist_ok=True)
            (folder / path.relative_to(SITE)).symlink_to(path)
    (folder / PAGE).unlink()
    faults = "\n".join(fault for fault, _ in FAULTS)
    text = (SITE / PAGE).read_text("utf-8")
    changed = text.replace("</article>", f"<style>{STYLE}</style>{faults}</article>")
    assert changed != text
    (folder / PAGE).write_text(changed, "utf-8")
    return folder


def test_every_fault_is_found(folder, visit, tmp_path):
    source = parsed(folder / PAGE)
    found = mistakes(folder / PAGE)
    with served(folder) as server:
        opened = visit(server, PAGE, "phone")
        found += looks(opened, ["phone"], source, tmp_path / "picture")
        found += unfolded(opened)
        found += inaccessible(opened, ["phone", "light", "dark"]) + opened.troubles
    opened = visit(folder.as_uri(), PAGE, "dark")
    found += looks(opened, ["dark", "light"], source, tmp_path / "picture")
    found += foreign_letters(opened) + opened.troubles
    print(*found, sep="\n")
    said = [pattern for _, patterns in FAULTS for pattern in patterns]
    assert [
        pattern for pattern in said if not any(re.search(pattern, fault, re.DOTALL) for fault in found)
    ] == []
    assert [fault for fault in found if any(re.search(pattern, fault, re.DOTALL) for pattern in ABSENT)] == []
