"""The build: which package computes the book, which pages go first, which take too long."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.addnodes import toctree
from sphinx.errors import ExtensionError

from tests.book.site import ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))
sys.path.insert(0, str(ROOT / "book"))

import _build
import effort
import numbering


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A folder with another copy of the package."""
    (tmp_path / "lattice").mkdir()
    (tmp_path / "lattice" / "__init__.py").touch()
    return tmp_path


@pytest.fixture
def kernel_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Let kernels find the package in the folder that this is called with."""

    def choose(folder: Path) -> None:
        spec = tmp_path / "kernels" / "python3" / "kernel.json"
        spec.parent.mkdir(parents=True)
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        kernel = {"argv": argv, "display_name": "Python 3", "language": "python"}
        spec.write_text(json.dumps(kernel | {"env": {"PYTHONPATH": str(folder)}}), "utf-8")
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))

    return choose


def test_own_package_is_taken(kernel_of):
    kernel_of(ROOT)
    _build.own_package()


def test_package_from_elsewhere_is_refused(other, kernel_of, monkeypatch):
    """As in a checkout that was copied with its environment."""
    kernel_of(ROOT)
    monkeypatch.setattr(_build, "ROOT", other)
    with pytest.raises(SystemExit) as refusal:
        _build.own_package()
    assert f"Python finds `lattice` in {ROOT / 'lattice'}; allowed: {other / 'lattice'}" in str(refusal.value)


def test_kernel_with_another_package_is_refused(other, kernel_of):
    kernel_of(other)
    with pytest.raises(SystemExit) as refusal:
        _build.own_package()
    assert f"cells finds `lattice` in {other / 'lattice'}; allowed: {ROOT / 'lattice'}" in str(refusal.value)


def test_an_edition_that_does_not_exist_is_refused():
    with pytest.raises(SystemExit, match=r"^EDITION=student; allowed: public or teacher$"):
        _build.main("html", "student")


def test_longest_pages_go_first(tmp_path):
    """By the time of their last execution; new ones before them, the longer texts first."""
    pages = [tmp_path / name for name in ("short", "long", "new", "newer")]
    for length, page in enumerate(pages):
        page.write_text("x" * length)
    seconds = {str(pages[0]): 2.0, str(pages[1]): 30.0}
    order = [pages[3], pages[2], pages[1], pages[0]]
    assert _build.longest_first(pages, seconds) == order
    assert _build.longest_first(pages[::-1], seconds) == order


class Project:
    """What the build asks of jupyter-cache of a page that is to be executed."""

    def __init__(self, page):
        self.page = page

    def list_project_records(self):
        return []

    def add_nb_to_project(self, page, read_data):
        pass

    def list_unexecuted(self):
        return [SimpleNamespace(pk=1, uri=str(self.page))]


@pytest.fixture
def executed_now(monkeypatch, tmp_path):
    """Execute one page, which takes so many seconds; another one has taken 100 s some time ago."""
    now, before = tmp_path / "now.md", tmp_path / "before.md"
    now.touch()
    monkeypatch.setattr(_build, "ROOT", tmp_path)
    monkeypatch.setattr(_build, "LOG", tmp_path / "log")
    monkeypatch.setattr(_build, "EXECUTED", tmp_path / "executed.json")
    _build.write_executed({str(before): {"seconds": 100.0, "foundations": "x"}})
    monkeypatch.setattr(_build, "foundations", lambda page: "y")
    pool = SimpleNamespace(imap_unordered=map)
    context = SimpleNamespace(Pool=lambda *arguments: nullcontext(pool))
    monkeypatch.setattr(_build.multiprocessing, "get_context", lambda name: context)

    def execute(seconds):
        monkeypatch.setattr(_build, "run", lambda page: (0, str(now), seconds))
        _build.execute([before, now], Project(now), 600)
        return _build.read_executed()[str(now)]["seconds"]

    return execute


@pytest.mark.parametrize("strict", ["", "1"])
def test_pages_that_take_too_long_are_said_or_refused(executed_now, strict, monkeypatch, capsys):
    monkeypatch.setenv("STRICT", strict)
    assert executed_now(60.0) == 60.0
    assert "allowed" not in capsys.readouterr().err
    said = "now.md took 61 s of processor time; allowed: 60 s"
    if strict:
        with pytest.raises(SystemExit, match=rf"^{said}\n"):
            executed_now(60.6)
    else:
        assert executed_now(60.6) == 60.6
        assert f"WARNING: {said}" in capsys.readouterr().err
    assert executed_now(1.0) == 1.0


def test_a_build_that_is_killed_leaves_what_was_known_whole(executed_now, monkeypatch):
    known = _build.EXECUTED.read_bytes()
    write = Path.write_text

    def killed(path, text, *options):
        write(path, text[:20], *options)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        _build.write_executed({})
    assert _build.EXECUTED.read_bytes() == known


def test_long_pages_are_pointed_out(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(_build, "ROOT", tmp_path)
    monkeypatch.setattr(_build, "EXECUTED", tmp_path / "executed.json")
    pages = [tmp_path / name for name in ("quick.md", "slow.md", "new.md")]
    executed = {str(pages[0]): {"seconds": 15.0}, str(pages[1]): {"seconds": 15.1}}
    (tmp_path / "executed.json").write_text(json.dumps(executed))
    _build.report(pages, tmp_path / "html")
    lines = capsys.readouterr().out.splitlines()
    assert "    15.0  quick.md" in lines
    assert "    15.1  slow.md  LONG: above 15 s" in lines
    assert "     nan  new.md" in lines
    assert "    30.1  together" in lines


def test_the_processor_time_of_a_page_is_that_of_its_kernel(monkeypatch):
    """A child process, which has ended by then."""

    def executed(page):
        subprocess.run([sys.executable, "-c", "sum(range(10**7))"], check=True)
        return 0, "page"

    monkeypatch.setattr(_build, "ExecutionWorkerLocalMProc", lambda: executed)
    code, page, seconds = _build.run(None)
    assert (code, page) == (0, "page")
    assert seconds > 0.01


class Cache:
    """What the build asks of jupyter-cache."""

    def __init__(self, pages):
        self.records = [SimpleNamespace(pk=number, uri=str(page)) for number, page in enumerate(pages)]

    def list_cache_records(self):
        return list(self.records)

    def remove_cache(self, pk):
        self.records = [record for record in self.records if record.pk != pk]


def test_pages_on_other_foundations_are_executed_again(monkeypatch, tmp_path):
    """Those whose code has changed, those that nothing is known of, and all if the pins have changed."""
    monkeypatch.setattr(_build, "EXECUTED", tmp_path / "executed.json")
    pages = _build.notebook_pages()[:3]
    executed = {str(page): {"seconds": 1.0, "foundations": _build.foundations(page)} for page in pages}
    del executed[str(pages[1])]["foundations"]
    executed[str(pages[2])]["foundations"] = executed[str(pages[0])]["foundations"]
    (tmp_path / "executed.json").write_text(json.dumps(executed))
    cache = Cache([*pages, ROOT / "book" / "gone.md"])
    monkeypatch.setattr(_build, "get_cache", lambda folder: cache)
    _build.open_cache(pages)
    assert [record.uri for record in cache.records] == [str(pages[0])]
    monkeypatch.setattr(_build, "FOUNDATIONS", ("pyproject.toml",))
    _build.open_cache(pages)
    assert cache.records == []


def a_page(*parts: nodes.Node) -> nodes.document:
    page = nodes.document(None, None)
    page += nodes.section("", nodes.title("", "Two words"), nodes.paragraph("", "and three more"), *parts)
    return page


def test_effort_counts_what_is_read():
    """Words, and each of the other kinds once, in none of which words are counted; nothing that is folded."""
    formula, code = nodes.math_block("", "x"), nodes.literal_block("", "a = 1\nb = 2")
    figure = nodes.figure("", nodes.caption("", "", nodes.paragraph("", "a caption")))
    question = nodes.admonition("", nodes.paragraph("", "a question"), classes=["question"])
    row = nodes.row("", nodes.entry("", nodes.paragraph("", "in a table")))
    table = nodes.table("", nodes.tgroup("", nodes.tbody("", row, row.deepcopy())))
    cell = nodes.container("", code.deepcopy(), nodes.container("", figure), classes=["cell"])
    note = nodes.admonition("", nodes.paragraph("", "not this"), formula.deepcopy(), classes=["dropdown"])
    folded = HideCodeCellNode("", code.deepcopy())
    exercise = nodes.admonition("", nodes.paragraph("", "nor this"), classes=["exercise"])
    assert effort.counts(a_page()) == {"words": 5}
    assert effort.counts(a_page(nodes.note("", nodes.paragraph("", "but this")))) == {"words": 7}
    assert effort.counts(a_page(note, folded, exercise, nodes.comment("", "nor that"))) == {"words": 5}
    found = {"words": 5, "formulas": 1, "figures": 1, "questions": 1, "rows": 2, "lines": 2}
    assert effort.counts(a_page(formula, question, table, cell)) == found


def test_effort_adds_the_minutes_of_exercises():
    def exercise(text, kind="exercise"):
        return nodes.admonition("", nodes.paragraph("", text), classes=[kind])

    page = a_page(exercise("Pencil, 10 minutes. Why?"), exercise("How?"), exercise("90 minutes.", "solution"))
    page += exercise("Keyboard, 60 minutes. It takes 5 minutes. For assignment; check value: 3.")
    assert effort.minutes(page) == (70, 60)
    assert effort.counts(page) == {"words": 5}


def test_effort_in_words():
    assert effort.times({"words": 10}, (0, 0), None) == "To read: 5 minutes."
    said = "To read: 45 minutes, to derive its formulas: 2 hours, exercises: 4½ hours (45 minutes of it for "
    said += "assignment), to run: 12 seconds."
    found = {"words": 3000, "formulas": 30, "figures": 5, "questions": 3, "rows": 10, "lines": 20}
    assert effort.times(found, (275, 50), 12.4) == said
    said = "To read: 10 minutes, to derive its formulas: 30 minutes, exercises: 1 hour, to run: 1 second."
    assert effort.times({"words": 900, "formulas": 7}, (60, 0), 0.2) == said


def test_times_are_rounded_to_quarters_of_an_hour():
    said = ["15 minutes", "15 minutes", "45 minutes", "1 hour", "1¼ hours", "2 hours", "2½ hours"]
    assert [effort.rough(minutes) for minutes in (4, 22, 40, 63, 70, 115, 150)] == said


def test_each_kind_takes_time_to_read():
    """Sixty of a kind: nothing that is counted is forgotten in the sum."""
    reading = {"formulas": 30, "figures": 60, "questions": 60, "rows": 5, "lines": 5}
    for kind, expected in reading.items():
        said = effort.times({kind: 60 if expected > 5 else 100}, (0, 0), None)
        assert said.startswith(f"To read: {expected} minutes")


def test_table_of_times_lists_what_was_executed_in_the_order_of_the_book():
    lines = effort.table(["book/b", "book/never", "book/a"], {"book/a": 1.0, "book/b": 2.26})
    assert lines[2:] == ["| {doc}`/book/b` | 2.3 |", "| {doc}`/book/a` | 1.0 |", "| all of them | 3.3 |"]


PART = ("Noisy chains", ["n/one", "n/appendix-ito", "n/two", "n/appendix-errors"])


def test_chapters_are_counted_within_their_part_and_appendices_are_lettered():
    found = numbering.numbers([("Early part", ["e/first"]), PART])
    assert found == {
        "e/first": "E1",
        "n/one": "N1",
        "n/appendix-ito": "NA",
        "n/two": "N2",
        "n/appendix-errors": "NB",
    }


def test_parts_of_one_initial_are_refused():
    with pytest.raises(ExtensionError, match="N, N; allowed: letters of their own"):
        numbering.numbers([PART, ("Nanotubes", ["t/one"])])


def test_sections_figures_and_equations_bear_the_number_of_their_page():
    root = nodes.document(None, None)
    root += toctree(caption=PART[0], numbered=999, entries=[(None, page) for page in PART[1]])
    root += toctree(caption="Reference", entries=[(None, "glossary")])
    page = "n/two"
    env = SimpleNamespace(
        config=SimpleNamespace(root_doc="index"),
        get_doctree=lambda name: root,
        toc_secnumbers={name: {"": (7,), "#a-section": (7, 2)} for name in PART[1]},
        toc_fignumbers={page: {"displaymath": {"equation-a": (7, 1), "equation-b": (7, 2)}}},
        titles={name: nodes.title(secnumber=[7]) for name in PART[1]},
        tocs={name: nodes.reference(secnumber=[7, 2]) for name in PART[1]},
    )
    numbering.renumber(SimpleNamespace(builder=SimpleNamespace(format="html")), env)
    assert env.toc_secnumbers[page] == {"": ("N2",), "#a-section": ("N2", 2)}
    assert env.toc_fignumbers[page]["displaymath"] == {"equation-a": ("N2", 1), "equation-b": ("N2", 2)}
    assert env.titles[page]["secnumber"] == ["N2"]
    assert env.tocs[page]["secnumber"] == ["N2", 2]
    assert env.toc_secnumbers["n/appendix-errors"][""] == ("NB",)
