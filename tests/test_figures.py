"""The figure style and the sliders: structure, weight, contrast, and nothing left behind."""

from __future__ import annotations

import base64
import gzip
import io
import re
import warnings
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib import textpath
from matplotlib.mathtext import MathTextParser

from lattice import (
    Bond,
    Chain,
    Crystal,
    Estimate,
    Langevin,
    PairRotation,
    Pin,
    StretchFlip,
    ThreeSiteRotation,
    VelocityExchange,
    VelocityFlip,
    figures,
)

STATIC = Path(__file__).parents[1] / "book" / "_static"
LIGHT, DARK = "#ffffff", "#121212"  # the theme's pages


@pytest.fixture(autouse=True)
def style():
    """The book's style for one test, and no figure open before or after."""
    assert plt.get_fignums() == []
    with mpl.rc_context():
        figures.use_style()
        yield
    assert plt.get_fignums() == []


def draw(rate, power=1):
    figure, ax = plt.subplots()
    t = np.linspace(0, 4, 60)
    ax.plot(t, np.exp(-((rate * t) ** power)), label="exact")
    figures.errorbar(ax, t[::20], [Estimate(np.exp(-rate * s), 0.05, "test") for s in t[::20]], label="run")
    ax.set(xlim=(0, 4), ylim=(0, 1.2), xlabel="time $t$", title=rf"$\gamma = {rate:.2f}$")
    ax.legend()
    return figure


@pytest.fixture(scope="module")
def line():
    with mpl.rc_context(figures.STYLE):
        return figures.slider(draw, {"noise rate γ": [0.5, 1, 2]}, alt="Energy decays", start=1)


@pytest.fixture(scope="module")
def grid():
    def field(a, b):
        figure, ax = plt.subplots()
        ax.imshow(np.outer(np.arange(8) ** a, np.arange(8) ** b), vmin=0, vmax=50)
        return figure

    with mpl.rc_context(figures.STYLE):
        values = {"rows": [0, 1], "columns <m>": [0, 1, 2]}
        return figures.slider(field, values, alt=lambda a, b: f'"{a}" & {b}', start=(1, 2), kind="png")


class Page(HTMLParser):
    """The elements of a page as (tag, attributes); a tag that is not closed is an error."""

    VOID = ("img", "input")

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        assert len(attributes) == len(dict(attributes))
        self.elements.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def of_class(self, name):
        return [attributes for _, attributes in self.elements if attributes.get("class") == name]

    def of_tag(self, name):
        return [attributes for tag, attributes in self.elements if tag == name]


# --- style -------------------------------------------------------------------------


def luminance(colour):
    """Relative luminance of WCAG 2."""
    c = np.asarray(colour)
    c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return c @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def dark(colour):
    """The filter of figures.css, invert(1) hue-rotate(180deg): the matrix of the CSS standard."""
    grey = np.array([0.213, 0.715, 0.072])
    return np.clip((2 * np.tile(grey, (3, 1)) - np.eye(3)) @ (1 - np.asarray(colour)), 0, 1)


def test_dark_filter_is_the_one_of_the_style_sheet():
    assert "filter: invert(1) hue-rotate(180deg);" in (STATIC / "figures.css").read_text()
    np.testing.assert_allclose(dark([0, 0, 0]), 1, atol=1e-12)
    # inverted red is cyan, and its hue turned by 180 degrees red again, only lighter
    lighter_red = dark(mpl.colors.to_rgb("#a00000"))
    assert lighter_red[0] > lighter_red[1] == pytest.approx(lighter_red[2])


def test_words_and_numbers_are_in_the_serif_of_the_pages():
    figure = plt.figure()
    figure.text(0, 0, "Wärme: −1.5 ± 0.2, ω ≤ γ, ε², κ₀ → ∞, √½")
    drawn = figures.style.as_svg(figure)
    plt.close(figure)
    fonts = set(re.findall(r'<path id="([\w-]+)-[0-9a-f]+"', drawn))
    assert fonts == {"LatticeSerif-Regular"}


@pytest.mark.parametrize("page", [LIGHT, DARK])
def test_contrast_of_ink_and_lines(page):
    page_rgb = mpl.colors.to_rgb(page)
    seen = mpl.colors.to_rgb if page == LIGHT else (lambda name: dark(mpl.colors.to_rgb(name)))
    for key in ("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color"):
        assert contrast(seen(mpl.rcParams[key]), page_rgb) >= 4.5
    for colour in mpl.rcParams["axes.prop_cycle"].by_key()["color"]:
        assert contrast(seen(colour), page_rgb) >= 3
    assert contrast(seen(figures.COLOURS["yellow"]), page_rgb) < 3  # so it is not in the cycle


def test_lines_differ_without_colour():
    cycle = mpl.rcParams["axes.prop_cycle"]
    assert len({str(entry["linestyle"]) for entry in cycle}) == len(cycle) == len(set(figures.MARKERS)) == 5


def test_use_style_is_all_that_changes_matplotlib(line):
    with mpl.rc_context():
        mpl.rcdefaults()
        before = mpl.rcParams.copy()
        figures.slider(lambda _: plt.figure(), {"x": [1, 2]}, alt="empty", kind="png")
        line.html()
        assert mpl.rcParams == before
        figures.use_style()
        assert {key for key in before if mpl.rcParams[key] != before[key]} <= set(figures.STYLE)
        assert mpl.rcParams["figure.facecolor"] == "none"


def test_notebook_shows_svg_and_pdf_that_never_change(monkeypatch):
    from IPython.core.formatters import DisplayFormatter

    shell = SimpleNamespace(display_formatter=DisplayFormatter())
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    figures.use_style()
    bundles = []
    for _ in range(2):
        figure = draw(1)
        bundles.append(shell.display_formatter.format(figure)[0])
        plt.close(figure)
    assert set(bundles[0]) == {"text/plain", "image/svg+xml", "application/pdf"}
    assert bundles[0] == bundles[1]
    svg = ElementTree.fromstring(bundles[0]["image/svg+xml"])
    assert svg.get("width") == "432pt"  # 6 inches: not cut to the ink
    assert "#ffffff" not in bundles[0]["image/svg+xml"]  # transparent
    assert bundles[0]["application/pdf"].startswith(b"%PDF")


def test_figures_are_what_matplotlib_writes_and_each_formula_is_parsed_once(monkeypatch):
    def written(kind, **metadata):
        stream, figure = io.BytesIO(), draw(1)
        figure.savefig(stream, format=kind, metadata=metadata)
        plt.close(figure)
        return stream.getvalue()

    parsed = []
    original = MathTextParser.parse

    def parse(self, s, *arguments, **options):
        parsed.append(s)
        return original(self, s, *arguments, **options)

    monkeypatch.setattr(MathTextParser, "parse", parse)
    figure = draw(1)
    canvas, dpi = figure.canvas, figure.dpi
    svg, pdf = figures.style.as_svg(figure), figures.style.as_pdf(figure)
    assert figure.canvas is canvas
    assert figure.dpi == dpi
    plt.close(figure)
    known = len(parsed)
    assert known > len(set(parsed)) > 1  # to be written in a PDF a formula has another size
    plain = draw(1)
    assert figures.style.as_svg(plain) == svg
    plt.close(plain)
    assert len(parsed) == known
    monkeypatch.setattr(textpath, "MathTextParser", MathTextParser)
    assert written("svg", Date=None).decode() == svg
    assert written("pdf", CreationDate=None) == pdf
    assert len(parsed) > 2 * known


def test_errorbar_follows_the_colours_of_the_lines():
    figure, ax = plt.subplots()
    lines = [ax.plot([0, 1], [j, j])[0] for j in range(6)]
    both = [Estimate(1.0, 0.25, "test"), Estimate(3.0, 0.5, "test")]
    bars = [figures.errorbar(ax, [0, 1], both) for _ in range(6)]
    profile = Estimate(np.array([1.0, 3.0]), np.array([0.25, 0.5]), "test")
    array = figures.errorbar(ax, [0, 1], profile, color="red")
    plt.close(figure)
    assert [bar[0].get_color() for bar in bars] == [drawn.get_color() for drawn in lines]
    assert len({bar[0].get_marker() for bar in bars}) == 5
    assert array[0].get_color() == "red"
    for bar in (bars[0], array):
        np.testing.assert_array_equal(bar[0].get_ydata(), [1, 3])
        ends = [segment[:, 1] for segment in bar[2][0].get_segments()]
        np.testing.assert_array_equal(ends, [[0.75, 1.25], [2.5, 3.5]])


def test_errorbar_counts():
    figure, ax = plt.subplots()
    with pytest.raises(ValueError, match="estimates holds 1 values and x 2; allowed: one per abscissa"):
        figures.errorbar(ax, [0, 1], [Estimate(1.0, 0.1, "test")])
    for bad in (None, 3.0, [], [1.0], "ab"):
        with pytest.raises(ValueError, match=r"estimates = .*; allowed: an Estimate"):
            figures.errorbar(ax, [0, 1], bad)
    with pytest.raises(ValueError, match="x has entries that are not finite"):
        figures.errorbar(ax, [np.nan], Estimate(1.0, 0.1, "test"))
    with pytest.raises(ValueError, match="ax = None; allowed"):
        figures.errorbar(None, [0], Estimate(1.0, 0.1, "test"))
    plt.close(figure)


# --- the three faces ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["line", "grid"])
def test_bundle_has_three_faces(name, request):
    slider = request.getfixturevalue(name)
    bundle = slider._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "text/html", "image/png"} <= set(bundle)
    assert bundle["text/html"] == slider.html()
    picture = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert picture.size == (960, 576)
    assert len(picture.getcolors()) <= 64


def test_html_of_one_parameter(line):
    page = Page(line.html())
    assert ["hidden" in frame for frame in page.of_class("lk-frame")] == [True, False, True]
    pictures = [attributes for attributes in page.of_tag("svg") if attributes.get("role") == "img"]
    assert [picture["aria-label"] for picture in pictures] == [
        f"Energy decays (noise rate γ = {text})" for text in ("0.5", "1", "2")
    ]
    (control,), (label,), (output,) = page.of_tag("input"), page.of_tag("label"), page.of_tag("output")
    assert label["for"] == output["for"] == control["id"]
    assert [control[key] for key in ("min", "max", "value", "aria-valuetext")] == ["0", "2", "1", "1"]
    assert control["data-texts"] == '["0.5", "1", "2"]'
    assert "hidden" in page.of_class("lk-control")[0]  # nothing to move without the script


def test_html_of_two_parameters(grid):
    page = Page(grid.html())
    assert ["hidden" in frame for frame in page.of_class("lk-frame")] == [True] * 5 + [False]
    pairs = [(a, b) for a in (0, 1) for b in (0, 1, 2)]
    assert [picture["alt"] for picture in page.of_tag("img")] == [f'"{a}" & {b}' for a, b in pairs]
    assert [control["max"] for control in page.of_tag("input")] == ["1", "2"]
    assert "columns &lt;m&gt;" in grid.html()
    assert grid.frame(1, 0) == 3
    for index in ((1,), (0, 3), (0, -1), (0, 1.0), (0, 0, 0)):
        with pytest.raises(ValueError, match=r"index = .*; allowed"):
            grid.frame(*index)


def test_script_and_style_sheets_speak_of_what_is_there(line):
    html = line.html() + ASKED.html("a")
    for name in ("slider.js", "slider.css", "figures.css"):
        classes = set(re.findall(r"\.(lk-\w+)", (STATIC / name).read_text()))
        assert classes
        # locked: the script gives and takes it
        assert classes - {"lk-locked"} <= set(re.findall(r'class="([^"]*)"', html))


def test_live_widget_shows_the_frame_of_its_values(grid):
    box = grid.widget()
    picture, rows, columns = box.children
    assert grid.frames[5] in picture.value
    rows.value = 0
    assert grid.frames[2] in picture.value
    columns.value = 1
    assert grid.frames[1] in picture.value
    assert [text for text, _ in columns.options] == ["0", "1", "2"]


def test_minus_signs_and_words():
    texts = [figures.sliders._text(value) for value in (-0.5, np.float64(1 / 3), 10, "all")]
    assert texts == ["−0.5", "0.3333", "10", "all"]


# --- sharing between the frames ----------------------------------------------------


def drawn(element, definitions):
    """What an SVG draws, in order, every reference replaced by what it refers to."""
    attributes = {key: value for key, value in element.attrib.items() if key not in ("id", "href")}
    if "clip-path" in attributes:
        clip = definitions[attributes["clip-path"][len("url(#") : -1]]
        attributes["clip-path"] = [(child.tag, sorted(child.attrib.items())) for child in clip]
    if element.tag == "defs":
        return
    if attributes and element.tag != "svg":
        yield element.tag, attributes
    for child in element:
        yield from drawn(child, definitions)
    if element.tag == "use":
        yield from drawn(definitions[element.get("href")[1:]], definitions)


def by_id(root):
    return {element.get("id"): element for element in root.iter() if element.get("id")}


def test_shared_frames_draw_what_matplotlib_drew(line):
    definitions = by_id(ElementTree.fromstring(line.shared))
    seen = []
    for rate, frame in zip([0.5, 1, 2], line.frames, strict=True):
        figure = draw(rate)
        plain = figures.sliders._parse(figures.style.as_svg(figure))
        plt.close(figure)
        expected = list(drawn(plain, by_id(plain)))
        assert list(drawn(ElementTree.fromstring(frame), definitions)) == expected
        assert len(expected) > 50
        seen.append(expected)
    assert seen[0] != seen[1] != seen[2]


def test_identifiers_are_unique_and_references_resolve(line):
    other = figures.slider(draw, {"rate": [0.5, 1]}, alt="The same frames again")
    page = Page(line.html() + other.html())
    ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert set(ids.values()) == {1}
    text = line.html() + other.html()
    references = set(re.findall(r'href="#([^"]+)"', text)) | set(re.findall(r"url\(#([^)]+)\)", text))
    assert references
    assert references <= set(ids)
    assert "<style" not in text  # it would style the whole page
    assert "xlink" not in text


def test_images_hatches_and_clips_inside_svg():
    def busy(shade):
        figure, (left, right) = plt.subplots(ncols=2)
        left.imshow([[0, shade], [shade, 1]], vmin=0, vmax=1)
        circle = plt.Circle((0, 0), 0.5, transform=right.transData)
        right.fill_between([0, 1], [0, shade], hatch="//", clip_path=circle)
        right.scatter([0, 1], [0, shade], c=["C0", "C1"])
        return figure

    text = figures.slider(busy, {"shade": [0.2, 0.8]}, alt="Everything").html()
    page = Page(text)
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= ids
    assert len(page.of_tag("pattern")) == 1
    assert len(page.of_tag("image")) == 2


def test_coordinates_are_rounded_by_less_than_can_be_seen():
    root = figures.sliders._parse('<svg><path d="M 1.234567 -0.005678\nL 12 3.4"/><use x="7.891011"/></svg>')
    assert root[0].get("d") == "M 1.23 -0.01 L 12 3.4"
    assert root[1].get("x") == "7.89"


def test_same_input_same_bytes(line):
    assert figures.slider(draw, {"noise rate γ": [0.5, 1, 2]}, alt="Energy decays", start=1) == line


# --- weight and bad input ----------------------------------------------------------


def test_twenty_line_frames_are_light():
    html = figures.slider(draw, {"rate": np.linspace(0.1, 2, 20)}, alt="Energy decays").html()
    assert len(html) < 120_000  # without sharing 240,000
    assert len(gzip.compress(html.encode())) < 20_000


def test_too_heavy_is_refused():
    noise = np.random.default_rng(1).random((2, 400, 400, 3))

    def heavy(j):
        return plt.figure(figsize=(6, 4)).figimage(noise[j], resize=True).get_figure()

    with pytest.raises(ValueError, match=r"values gives 2 frames of \d+ bytes compressed; allowed: 300000"):
        figures.slider(heavy, {"j": [0, 1]}, alt="Noise", kind="svg")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": {}}, "values = {}; allowed"),
        ({"values": [1, 2]}, r"values = \[1, 2\]; allowed"),
        ({"values": {"a": [1, 2], "b": [1, 2], "c": [1, 2]}}, "allowed: a mapping of one or two"),
        ({"values": {"rate": [1]}}, r"values\['rate'\] = \[1\]; allowed: a label, and at least two"),
        ({"values": {"rate": "ab"}}, r"values\['rate'\] = 'ab'; allowed"),
        ({"values": {1: [1, 2]}}, r"values\[1\] = \[1, 2\]; allowed: a label"),
        ({"start": 2}, "start = 2; allowed: an integer at least 0 and at most 1"),
        ({"start": -1}, "start = -1; allowed"),
        ({"start": None}, "start = None; allowed"),
        ({"start": (True,)}, "start = True; allowed"),
        ({"start": (0, 0)}, r"start = \(0, 0\); allowed"),
        ({"kind": "gif"}, "kind = 'gif'; allowed: 'svg', 'png'"),
        ({"alt": ""}, "alt = ''; allowed"),
        ({"alt": 3}, "alt = 3; allowed"),
        ({"alt": lambda rate: rate}, "alt = 1; allowed: texts"),
        ({"draw": None}, "draw = None; allowed"),
        ({"draw": lambda _: None}, r"draw\(1,\) returned None; allowed: a matplotlib Figure"),
        ({"draw": lambda rate: plt.figure(figsize=(rate, 2))}, "allowed: one size for all frames"),
    ],
)
def test_bad_input(changes, message):
    arguments = {"draw": lambda _: plt.figure(), "values": {"rate": [1, 2]}, "alt": "empty"} | changes
    with pytest.raises(ValueError, match=message):
        figures.slider(**arguments)


def test_more_frames_than_matplotlib_likes_open():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figures.slider(lambda _: plt.figure(figsize=(1, 1)), {"x": range(25)}, alt="empty")
    assert caught == []


# Questions


ASKED = figures.Question('Is 1 < 2 & "so"?', ("yes", "no"), "Yes: 1 < 2.")


def test_a_question_stands_before_the_frames():
    asked = figures.slider(draw, {"rate": [0.5, 1]}, alt="Energy decays", question=ASKED)
    plain = figures.slider(draw, {"rate": [0.5, 1]}, alt="Energy decays")
    assert asked.html().replace(ASKED.html(f"{asked.name}-question"), "") == plain.html()
    assert asked.html().index("lk-question") < asked.html().index("lk-frame")
    assert "Is 1 &lt; 2 &amp; &quot;so&quot;?" in asked.html()


def test_one_picks_or_types():
    assert ASKED.html("a").count('type="radio"') == 2
    typed = figures.Question("How many?", (), "Four.").html("a")
    assert typed.count('type="text"') == 1
    assert "radio" not in typed


def test_in_a_notebook_the_frames_open_after_the_choice():
    box = figures.slider(draw, {"rate": [0.5, 1]}, alt="Energy decays", question=ASKED).widget()
    text, choice, stage = box.children
    assert stage.layout.display == "none"
    assert "Yes: 1" not in text.value
    choice.value = "no"
    assert stage.layout.display == ""
    assert "Yes: 1 &lt; 2." in text.value
    assert choice.disabled


@pytest.mark.parametrize(
    "wrong", [("", ("a", "b"), "c"), ("a", ("b",), "c"), ("a", "bc", "c"), ("a", ("b", 1), "c")]
)
def test_a_question_that_is_none(wrong):
    with pytest.raises(ValueError, match="allowed"):
        figures.Question(*wrong)


# Sketches


def parts_of(model, **options):
    """The parts of a sketch: beads, arrows, boxes, lines that are no dots, words."""
    _, ax = plt.subplots()
    assert figures.sketch(model, ax=ax, **options) is ax
    counted = [
        sum(type(patch).__name__ == name for patch in ax.patches)
        for name in ("Circle", "FancyArrowPatch", "FancyBboxPatch")
    ]
    lines = sum(line.get_linestyle() == "-" for line in ax.lines)
    plt.close(ax.figure)
    return (*counted, lines, [text.get_text() for text in ax.texts])


def test_a_sketch_has_the_parts_of_the_chain():
    wall = parts_of(Chain(2, boundary=("fixed", "free")))[3] - 1  # its line, its strokes and its spring
    assert parts_of(Chain(2, boundary="free"))[:4] == (2, 0, 0, 1)
    assert parts_of(Chain(2, boundary=("fixed", "free")))[:3] == (2, 0, 0)
    assert wall > 3
    assert parts_of(Chain(2, boundary="fixed"))[3] == 1 + 2 * wall
    assert parts_of(Chain(3, Bond(chi=0.0), boundary="free"))[3] == 0
    assert parts_of(Chain(3, Bond(chi=[1.0, 0.0]), boundary="free"))[3] == 1
    two, three = (
        parts_of(Chain(3, pin=pin, boundary="free"))[3] for pin in (Pin(chi=[1.0, 0.0, 2.0]), Pin(beta=1.0))
    )
    assert three - two == 1
    assert parts_of(Chain(500), sites=7)[0] == 7


def test_a_sketch_has_the_baths_and_the_noises():
    chain = Chain(64, boundary="free")
    baths = Langevin(0, 1.5), Langevin(-1, 0.5, 0.0, 0.3)
    beads, arrows, boxes, _, words = parts_of(chain, baths=baths)
    assert (beads, boxes) == (9, 2)
    assert arrows == 2 + 1  # friction at one of them, a force at the other
    assert words == ["$1.5$", "$0.5$", "force"]
    noises = [VelocityFlip(1), StretchFlip(1), VelocityExchange(1), ThreeSiteRotation(1)]
    assert parts_of(chain, noises=noises)[1] == 2 + 2 + 2 + 3
    assert parts_of(chain, noises=noises)[-1] == ["flip", "stretch flip", "exchange", "rotation"]


def test_a_bath_gives_on_one_side_and_takes_on_the_other_and_pushes_at_its_bead():
    _, ax = plt.subplots()
    figures.sketch(Chain(5, boundary="free"), baths=[Langevin(2, 1.0, 1.0, -0.3)], ax=ax)
    given, taken, push = (
        patch.get_path().get_extents() for patch in ax.patches if type(patch).__name__ == "FancyArrowPatch"
    )
    assert given.x0 == pytest.approx(1.9, abs=0.05)
    assert taken.x0 == pytest.approx(2.1, abs=0.05)
    assert max(given.y1, taken.y1) < 0 < push.y0
    assert (push.x0 + push.x1) / 2 == pytest.approx(2.0, abs=0.05)
    assert all(end in (-1, 5) for end in ax.get_xlim())
    plt.close(ax.figure)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_sketch_of_a_crystal(d):
    plain = parts_of(Crystal((8,) * d))
    sites = (6, 15, 16)[d - 1]
    springs = (5, 4 * 3 + 5 * 2, 3 * 4 + 2 * 8)[d - 1]
    assert plain[:4] == (sites, 0, 0, springs)
    assert parts_of(Crystal((8,) * d), noises=[PairRotation(1)])[1] == 2
    assert parts_of(Crystal((8,) * d, pin=Pin(chi=1.0)))[3] == springs + sites
    pairs = {z: (Bond(), Bond(chi=1.0)) for z in map(tuple, np.eye(d, dtype=int).tolist())}
    assert (
        parts_of(Crystal((8,) * d, pairs, (Pin(), Pin(), Pin(chi=1.0)), components=3))[3] == springs + sites
    )


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (Chain(4), {"noises": [PairRotation(1)]}),
        (Crystal((4, 4)), {"noises": [VelocityFlip(1)]}),
        (Crystal((4, 4)), {"baths": [Langevin(0, 1.0)]}),
        (Chain(4), {"sites": 3}),
    ],
)
def test_what_cannot_be_drawn_is_refused(model, options):
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match="allowed"):
        figures.sketch(model, ax=ax, **options)
    plt.close(ax.figure)


def test_an_arrow_has_a_known_colour():
    _, ax = plt.subplots()
    figures.arrow(ax, (0, 0), (1, 0), "blue", bend=0.2)
    assert len(ax.patches) == 1
    with pytest.raises(ValueError, match="colour"):
        figures.arrow(ax, (0, 0), (1, 0), "pink")
    plt.close(ax.figure)
