"""The notebooks that the pages offer: they read like the pages, in viewers that know nothing of MyST."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import nbformat
import pytest
import yaml
from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx_proof.nodes import proof_node

from book._cells import CELL
from lattice.figures import Question
from tests.book.checks import parsed
from tests.book.site import ROOT, SITE, WRITTEN

sys.path.insert(0, str(ROOT / "book" / "_ext"))

import notebook_text
import notebooks

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["sphinx"]["config"]
MACROS = CONFIG["mathjax3_config"]["tex"]["macros"]
RAW = re.compile(
    r"\{[\w:-]+\}`|^\s*(?:>\s*)*(?:`{3,}|~{3,}|:{3,})\{|^\s*:{3,}|^\s*:\w+:\s|^\([\w-]+\)=$"
    rf"|\\(?:{'|'.join(MACROS)})(?![A-Za-z])|%s",
    re.MULTILINE,
)
FORMULA = re.compile(r"(?<!\\)\$\$(.+?)\$\$|(?<![\\$])\$([^$]+?)\$", re.DOTALL)
HIDDEN = re.compile(r"</?(?:a|br|details|img|su[bp]|summary)\b[^>]*>|\]\((?:<[^>]*>|attachment:[^)]*)\)")
LABEL = re.compile(r"\*\*([A-Z][A-Za-z.]* (?:[A-Z]+\d*|\d+)(?:\.\d+)+)\*\*")


def notebook_of(page):
    """The notebook that a page offers, if it offers one."""
    links = [a["href"] for a in parsed(SITE / page).find_all("a", href=True) if a["href"].endswith(".ipynb")]
    assert len(links) <= 1
    return nbformat.read(((SITE / page).parent / unquote(links[0])).resolve(), 4) if links else None


def prose(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def letters(text):
    return re.sub(r"[\W_]", "", text)


def words(markdown):
    """The letters and digits that a reader sees outside of formulas."""
    return letters(HIDDEN.sub(" ", FORMULA.sub(" ", markdown)))


def raw(notebook):
    """Source that should have been rendered."""
    return [found[0] for found in RAW.finditer(prose(notebook))]


def said(tag):
    """The text of a part of a page, without formulas and the marks of links in it."""
    silent = {id(text) for part in tag.select(".math, .headerlink") for text in part.strings}
    return " ".join("".join(text for text in tag.strings if id(text) not in silent).split())


def numbers(page):
    """The numbers that a page gives: to equations, to sections, and to what has a label."""
    equations, sections, labels = (
        [said(tag) for tag in page.select(f"article {kind}")]
        for kind in (".eqno", ".section-number", ".caption-number")
    )
    return [number.strip("()") for number in equations], sections, [x for x in labels if re.search(r"\d", x)]


def differences(page, notebook):
    """What the page says and the notebook does not, or in other numbers."""
    text, faults = prose(notebook), []
    there = (
        re.findall(r"\\tag\{([^}]+)\}", text),
        re.findall(r"^#+ ((?:\w+\.)+) ", text, re.MULTILINE),
        LABEL.findall(text),
    )
    for kind, on_page, here in zip(("equations", "sections", "labels"), numbers(page), there, strict=True):
        faults += [f"{kind}: {on_page} on the page, {here} here"] if on_page != here else []
    formulas = len(page.select("article .math"))
    if (found := len(FORMULA.findall(text))) != formulas:
        faults.append(f"{formulas} formulas on the page, {found} here")
    seen = words(text)
    values = [tag.get_text() for tag in page.select("article .pasted-text")]
    for paragraph in page.select(
        "article p:not(:is(.admonition-title, .prev-next-title, .prev-next-subtitle))"
    ):
        if letters(said(paragraph)) not in seen:
            faults.append(f"not here: {said(paragraph)[:80]}")
    return faults + [f"not here: {value}" for value in values if letters(value) not in seen]


@pytest.fixture(scope="module")
def page():
    return next(page for page in WRITTEN if page.endswith("second-moments.html"))


@pytest.mark.site
@pytest.mark.parametrize("page", WRITTEN)
def test_notebook_reads_like_the_page(page):
    """Pages with cells offer it, with all cells executed."""
    notebook = notebook_of(page)
    source = Path(ROOT / page).with_suffix(".md").read_text("utf-8")
    # what the page keeps to itself, the values of assignments, the notebook does too
    cells = sum("remove-cell" not in cell["options"] for cell in CELL.finditer(source))
    assert (notebook is None) == (cells == 0)
    if notebook is None:
        return
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) == cells
    assert all(cell.execution_count for cell in code)
    assert any(cell.outputs for cell in code) or "mystnb:" not in source
    assert raw(notebook) == []
    assert differences(parsed(SITE / page), notebook) == []


@pytest.mark.site
@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (r"\tag{N3.1}", "", "equations: .*N3.1"),
        (r"\tag{N3.1}", r"\tag{N3.3}", "equations: .*N3.1"),
        ("**Fig. N3.1**", "**Fig. N3.2**", "labels: .*Fig. N3.1"),
        ("**Exercise N3.2**", "Exercise N3.2", "labels: .*Exercise N3.2"),
        ("## N3.2. ", "## ", "sections: .*N3.2"),
        ("$x = (q, p)$", "x = (q, p)", "formulas on the page"),
        ("0.", "0,0", "not here"),
    ],
)
def test_differences_are_found(page, old, new, fault):
    notebook = notebook_of(page)
    assert any(old in cell.source for cell in notebook.cells)
    for cell in notebook.cells:
        cell.source = cell.source.replace(old, new)
    assert any(re.search(fault, each) for each in differences(parsed(SITE / page), notebook))


@pytest.mark.parametrize(
    "text",
    [
        "see {eq}`sm-raw`",
        "{glue:text}`sm-digits`",
        "{prf:ref}`hc-theorem`",
        "```{math}\nx\n```",
        "> ````{prf:proof}\n````",
        ":::{note}",
        ":label: sm-raw",
        "(second-moments)=",
        r"$\dd x$",
        r"$\mean{x}$",
        "Exercise %s",
    ],
)
def test_source_is_found(text):
    assert raw(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)]))


@pytest.mark.parametrize(
    "text", ["```python\nx\n```", r"$\ddot x$", "in Fig. 3.1 (3.2)", "**A**: b", "100 %"]
)
def test_markdown_is_no_source(text):
    assert raw(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])) == []


@pytest.mark.parametrize(
    ("formula", "expanded"),
    [
        (r"\dd x\,\ddot x", r"{d} x\,\ddot x"),
        (r"\mean{p_j^{2}}", r"\left\langle {p_j^{2}} \right\rangle"),
        (r"\mean x + \mean\psi", r"\left\langle x \right\rangle + \left\langle \psi \right\rangle"),
        (
            r"\mean{\mean{x}\RR}",
            r"\left\langle {\left\langle {x} \right\rangle{\mathbb{R}}} \right\rangle",
        ),
    ],
)
def test_macros_are_expanded(formula, expanded):
    assert notebook_text.expand(formula, MACROS) == expanded


@pytest.fixture
def writer():
    """Of a page that has nothing but one cell, whose number is 0."""
    config = SimpleNamespace(
        mathjax3_config=CONFIG["mathjax3_config"],
        html_baseurl="https://example.org/book/",
        numfig_format={"figure": "Fig. %s", "table": "Table %s"},
        project="A book",
        nb_code_prompt_show="Show",
    )
    numbers = {
        "page": {"figure": {"one": (1, 2)}, "theorem": {"claim": (1, 1)}, "displaymath": {"e": (3, 4)}}
    }
    env = SimpleNamespace(toc_fignumbers=numbers, toc_secnumbers={})
    app = SimpleNamespace(config=config, env=env, srcdir=str(ROOT))
    executed = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1", execution_count=1)])
    executed.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "language_info": {"name": "python"},
    }
    writer = notebooks.Writer(app, "page", nodes.document(None, None), executed)
    writer.wanted = {"e"}  # some place on the page leads there
    return writer


def cell(source):
    shown = nodes.container("", nodes.literal_block(source, source), nb_element="cell_code_source")
    return nodes.container("", shown, nb_element="cell_code", cell_index=0)


def test_a_cell_that_is_not_the_executed_one_is_refused(writer):
    assert writer.block(cell("1 + 1"))[0].source == "1 + 1"
    with pytest.raises(AssertionError, match="another cell 0"):
        writer.block(cell("1 + 2"))


def test_nodes_that_are_not_known_are_warnings(writer, monkeypatch):
    """So that the build fails; and so is a cell that the page does not show."""
    said = []
    monkeypatch.setattr(notebooks.logger, "warning", lambda text, *rest, location: said.append(text % rest))
    writer.block(nodes.paragraph("", "", nodes.emphasis("", "words")))
    assert said == []
    writer.block(nodes.option_list())
    writer.block(nodes.paragraph("", "", nodes.generated()))
    writer.notebook()
    assert said == [
        "the notebook cannot show <option_list>",
        "the notebook cannot show <generated>",
        "the page does not show cell 0",
    ]


def test_a_fold_stands_around_the_cells(writer):
    """No element of HTML reaches from one cell of a notebook to another."""
    title = nodes.title("", "Solution to <1>")
    parts = [nodes.paragraph("", "Before."), cell("1 + 1"), nodes.paragraph("", "After.")]
    before, code, after = writer.block(nodes.admonition("", title, *parts, classes=["dropdown"]))
    assert before == "<details>\n<summary>Solution to &lt;1&gt;</summary>\n\nBefore.\n\n</details>"
    assert after == "<details>\n<summary>Solution to &lt;1&gt;, continued</summary>\n\nAfter.\n\n</details>"
    assert code.metadata["jupyter"] == {"source_hidden": True, "outputs_hidden": True}


def test_a_closed_cell_says_what_it_holds(writer):
    """What the page says of it, if that is more than of any other."""
    shown = cell("1 + 1")
    fold = HideCodeCellNode(prompt_show="✓ checked: *half* would show")
    fold += shown.children
    shown.children = [fold]
    said, code = writer.block(shown)
    assert said == r"*✓ checked: \*half\* would show*"
    assert code.source == "1 + 1"
    fold["prompt_show"] = "Show"
    assert len(writer.block(shown)) == 1


@pytest.mark.parametrize(
    ("choices", "listed"), [(("up", "down"), "\n\n- up\n- down"), ((), "")], ids=["pick", "type"]
)
def test_a_question_is_asked_before_the_still(choices, listed):
    html = Question("Whither < 1?", choices, "It *falls*.").html("key")
    slider = f'<div class="lk-slider">{html}<div class="lk-stage"></div></div>'
    output = nbformat.v4.new_output("execute_result", {"text/html": slider})
    before, answer = notebook_text.asked(nbformat.v4.new_code_cell("", outputs=[output]))
    assert before == [rf"**Predict first.** Whither \< 1?{listed}"]
    assert answer == [r"It \*falls\*."]


@pytest.mark.parametrize(
    ("last", "end"),
    [
        (nodes.paragraph("", "Done."), ["Done. ∎"]),
        (nodes.math_block("", "a", nowrap=False), ["$$a$$", "∎"]),
    ],
)
def test_a_proof_ends(writer, last, end):
    proof = proof_node("", nodes.admonition("", nodes.paragraph("", "Proof. Look."), last))
    assert writer.block(proof) == ["*Proof.* Look.", *end]


def test_a_displayed_formula_is_one_line(writer):
    """In a quotation viewers know no other; it has the page's number, and is where its links lead."""
    block = nodes.math_block("", "a\n= b", nowrap=False, ids=["e"])
    assert writer.block(nodes.note("", block)) == ['> **Note**\n>\n> <a id="e"></a>\n> $$a = b \\tag{3.4}$$']


def test_a_table_keeps_its_bars(writer):
    formula = nodes.paragraph("", "", nodes.math("", r"|x| \| y"))
    rows = [nodes.row("", nodes.entry("", formula), nodes.entry("", nodes.paragraph("", "a|b")))]
    table = nodes.table("", nodes.tgroup("", nodes.tbody("", *rows)))
    assert writer.block(table)[0].splitlines()[-1] == r"| $\vert x\vert \Vert y$ | a\|b |"


def test_words(writer):
    """What Markdown would read as its own is kept as it is."""
    parts = [
        nodes.Text("1. a_b *c* $d$ <e> "),
        nodes.strong("", "f"),
        nodes.literal("", "g`h*"),
        nodes.subscript("", "i"),
        nodes.footnote_reference("", "1"),
    ]
    words = writer.block(nodes.paragraph("", "", *parts))
    assert words == [r"1\. a\_b \*c\* \$d\$ \<e\> **f**``g`h*``<sub>i</sub><sup>1</sup>"]


def test_lists(writer):
    """Formulas and lists in an item are part of it."""
    inner = nodes.bullet_list("", nodes.list_item("", nodes.paragraph("", "b")))
    items = [
        nodes.list_item("", nodes.paragraph("", "a"), nodes.math_block("", "x", nowrap=False)),
        nodes.list_item("", nodes.paragraph("", "c"), inner),
    ]
    assert writer.block(nodes.enumerated_list("", *items)) == ["1. a\n\n   $$x$$\n1. c\n\n   - b"]


def test_links_lead_to_the_site(writer):
    """To another page only where the address of the site is known."""
    link = nodes.paragraph("", "", nodes.reference("", "a word", refuri="other.html#place"))
    assert writer.block(link) == ["[a word](<https://example.org/book/other.html#place>)"]
    writer.base = ""
    assert writer.block(link) == ["a word"]


def test_pictures_are_carried_along(writer):
    """By the cell that shows them."""
    image = nodes.image("", candidates={"*": "book/_static/favicon.svg"}, alt="A *mark*")
    figure = nodes.figure("", image, ids=["one"])
    figure += nodes.caption("", "What to see.")
    picture, caption = writer.block(figure)
    assert picture == r"![A \*mark\*](attachment:favicon.svg)"
    assert caption == "**Fig. 1.2** What to see."
    assert list(writer.markdown(picture).attachments["favicon.svg"]) == ["image/svg+xml"]


def test_figures_need_no_trust():
    """Viewers show SVG and widgets of strangers as text; sliders become stills of their width on the site."""
    svg = {"image/svg+xml": "<svg/>", "application/pdf": "", "text/plain": "<Figure>"}
    png = "iVBORw0KGgoAAAANSUhEUgAAA8AAAAJAAQ=="  # the head of one of 960 pixels
    frames = (
        '<div class="lk-frame" hidden><svg aria-label="B"/></div><div class="lk-frame"><img alt="&lt;A"/>'
    )
    slider = {"image/png": png, notebooks.WIDGET: {}, "text/html": frames, "text/plain": "Slider"}
    glued = {"application/papermill.record/text/plain": "1"}
    outputs = [
        nbformat.v4.new_output("display_data", svg),
        nbformat.v4.new_output("execute_result", slider, execution_count=7),
        nbformat.v4.new_output("display_data", glued, metadata={"scrapbook": {"name": "x"}}),
    ]
    code = nbformat.v4.new_code_cell("", outputs=outputs, execution_count=7)
    kept = notebook_text.outputs(code, 'A "curve"')[:1] + notebook_text.outputs(code, "")[1:]
    assert [set(output.data) for output in kept] == [{"text/html", "text/plain"}] * 2
    assert 'alt="A &quot;curve&quot;"' in kept[0].data["text/html"]
    assert 'width="576"' in kept[1].data["text/html"]
    assert kept[1].data["text/plain"] == "<A"
