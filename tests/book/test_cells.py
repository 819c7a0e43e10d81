"""The cells of the chapters as code: style, length, and nothing but public names."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from functools import cache
from pathlib import Path
from statistics import median
from types import ModuleType

import jupytext
import pytest
from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book"))

from _cells import sources, with_sources
from _ext.teacher import SOLUTIONS, teachers
from _format import ROOT, chapters, notebook_sources, ruff, write_notebooks

HEAD = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---
"""
SOLUTION = re.compile(r"^```\{solution-(start|end)\}", re.MULTILINE)
LIMITS = (25, 8)  # lines of the longest visible cell, and of the median
# Chapters that are not mended yet, and theirs.  To shrink, never to grow.
UNMENDED = {
    "book/noisy-chains/appendix-monte-carlo.md": (17, 9),
    "book/noisy-chains/noise-that-conserves.md": (26, 12),
    "book/wigner-limits/boltzmann-equation.md": (27, 8),
    "book/wigner-limits/from-waves-to-rays.md": (17, 10),
    "book/wigner-limits/higher-dimensions.md": (28, 15),
    "book/wigner-limits/homogeneous-limit.md": (27, 8),
    "book/wigner-limits/random-flights.md": (23, 9.5),
}

CHAPTERS = [page.relative_to(ROOT).as_posix() for page in chapters()]


FOLDED = {"hide-input", "hide-cell", "remove-cell", "remove-input"}


@cache
def cells(chapter: str) -> list[str]:
    """Sources of the code cells of a chapter, those of the teacher's edition too."""
    text = teachers((ROOT / chapter).read_text("utf-8"))
    return [cell.source for cell in jupytext.reads(text, fmt="md:myst").cells if cell.cell_type == "code"]


def lengths(text: str) -> list[int]:
    """Lines of the cells that a reader sees: neither folded nor part of a folded solution."""
    found, solution = [], False
    for cell in jupytext.reads(text, fmt="md:myst").cells:
        if cell.cell_type == "markdown":
            marks = SOLUTION.findall(cell.source)
            solution = marks[-1] == "start" if marks else solution
        elif not solution and not FOLDED & set(cell.metadata.get("tags", ())):
            found.append(len([line for line in cell.source.splitlines() if line.strip()]))
    return found


def bound(node: ast.AST) -> set[str]:
    """Names that a cell's own lines bind, not those inside its functions."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        return set()
    own = {node.id} if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else set()
    return own.union(*map(bound, ast.iter_child_nodes(node)))


def functions_lost(text: str) -> set[str]:
    """Functions of a chapter whose names its folded solutions give to something else."""
    functions: set[str] = set()
    lost: set[str] = set()
    solution = False
    for cell in jupytext.reads(text, fmt="md:myst").cells:
        if cell.cell_type == "markdown":
            marks = SOLUTION.findall(cell.source)
            solution = marks[-1] == "start" if marks else solution
            continue
        tree = ast.parse(cell.source)
        if solution:
            lost |= functions & bound(tree)
        else:
            functions |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return lost


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_solutions_leave_the_functions_of_the_chapter_alone(chapter):
    """A reader who has opened a solution may run a cell above it once more."""
    assert functions_lost(teachers((ROOT / chapter).read_text("utf-8"))) == set()


def test_a_function_lost_in_a_solution_is_noticed():
    cell = "```{{code-cell}} ipython3\n{}\n```\n"
    text = HEAD + cell.format("def solved():\n    found = 1")
    text += "```{solution-start} ex\n```\n" + cell.format("found = [solved for solved in (1,)]")
    assert functions_lost(text + "```{solution-end}\n```\n") == set()
    assert functions_lost(text + cell.format("for solved in (1, 2):\n    pass")) == {"solved"}


def within(seen: list[int], limits: tuple[float, float]) -> bool:
    """Whether neither the longest cell nor the median is longer."""
    return max(seen) <= limits[0] and median(seen) <= limits[1]


def test_there_are_chapters():
    """The other tests run over this list: it may not be empty."""
    assert "book/noisy-chains/harmonic-chain.md" in CHAPTERS


def executed(text: str) -> list[str]:
    """The cells that the build executes."""
    if not is_myst_markdown_notebook(text):
        return []
    return [cell.source for cell in read_myst_markdown_notebook(text).cells if cell.cell_type == "code"]


PAGES = [page for page in sorted((ROOT / "book").glob("**/*.md")) if page.parent != SOLUTIONS]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_is_executed_is_what_is_read(page):
    """Else the hash of the code would not see a cell, and the build would show its old output."""
    text = teachers(page.read_text("utf-8"))
    assert sources(text) == executed(text)
    if page.relative_to(ROOT).as_posix() in CHAPTERS:
        assert sources(text) == cells(page.relative_to(ROOT).as_posix())


@pytest.mark.parametrize("fence", ["```", "`````", "~~~", "~~~~"])
@pytest.mark.parametrize("options", ["", ":tags: [a]\n", ":tags: [a]\n\n", "---\ntags: [a]\n---\n"])
def test_cells_in_any_fence_are_read(fence, options):
    text = f"{HEAD}\n{fence}{{code-cell}} ipython3\n{options}x = 1\n\ny = 2\n{fence}\n\n```python\nz\n```\n"
    assert sources(text) == executed(text) == ["x = 1\n\ny = 2"]
    other = with_sources(text, ["x = 3"])
    assert sources(other) == executed(other) == ["x = 3"]
    assert other.partition("x = 3")[2] == text.partition("y = 2")[2]


def test_cells_that_are_not_executed_are_noticed():
    cell = "```{code-cell} ipython3\nx = 1\n```\n"
    for text in (cell, f"{HEAD}\n````{{note}}\n{cell}````\n"):  # not a notebook; not a cell of it
        assert sources(text) != executed(text)


@pytest.mark.parametrize("command", [("check",), ("format", "--check")])
def test_ruff(command, tmp_path):
    """Cells are held to the same style as modules; `make format` mends most of it."""
    write_notebooks(tmp_path, {page: teachers(page.read_text("utf-8")) for page in chapters()})
    done = ruff(tmp_path, *command)
    assert done.returncode == 0, done.stdout + done.stderr


def test_namesakes_in_two_folders_keep_their_cells(tmp_path):
    texts = {
        ROOT / "book" / part / "page.md": HEAD + f"\n```{{code-cell}} ipython3\n{part} = 1\n```\n"
        for part in ("one", "two")
    }
    places = write_notebooks(tmp_path, texts)
    found = [source for place in places.values() for source in notebook_sources(place)]
    assert found == ["one = 1", "two = 1"]
    places[ROOT / "book/two/page.md"].write_text("no notebook")
    assert "two/page.ipynb" in ruff(tmp_path, "check").stdout  # finds it in its folder


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_visible_cells_are_short(chapter):
    """At most 25 lines, and half of them at most 8."""
    seen = lengths((ROOT / chapter).read_text("utf-8"))
    assert within(seen, UNMENDED.get(chapter, LIMITS))


@pytest.mark.parametrize("chapter", UNMENDED)
def test_what_is_listed_as_not_mended_is_not(chapter):
    """So that the list shrinks."""
    assert not within(lengths((ROOT / chapter).read_text("utf-8")), LIMITS)


def test_one_long_cell_or_half_of_them_is_too_much():
    assert within([25, 8, 8], LIMITS)
    assert not within([26, 8, 8], LIMITS)
    assert not within([9, 9, 8], LIMITS)


def test_folded_cells_and_solutions_are_not_counted():
    cell = "```{code-cell} ipython3\n%sx = 1\ny = 2\n```\n\n"
    start, end = "```{solution-start} an-exercise\n```\n\n", "```{solution-end}\n```\n\n"
    text = HEAD + cell % "" + cell % ":tags: [hide-input]\n" + start + cell % "" + end + cell % ""
    assert lengths(text) == [2, 2]


def private_names(source: str) -> list[str]:
    """What a piece of code uses of `lattice` without being invited to."""
    tree = ast.parse(source)
    modules: dict[str, str] = {}  # local name: module of lattice that it stands for
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                if name.name.split(".")[0] == "lattice":
                    found += unpublished(name.name)
                    # `import lattice.micro` binds `lattice`; with `as`, the module itself
                    modules[name.asname or "lattice"] = name.name if name.asname else "lattice"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lattice":
            found += unpublished(node.module)
            for name in node.names:
                path = f"{node.module}.{name.name}"
                if is_module(path):
                    found += unpublished(path)
                    modules[name.asname or name.name] = path
                elif name.name not in public(node.module):
                    found.append(path)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (owner := dotted(node.value)):
            first, _, rest = owner.partition(".")
            if first not in modules:
                continue
            module = modules[first] + ("." + rest if rest else "")
            path = f"{module}.{node.attr}"
            if is_module(module) and node.attr not in public(module) and not is_module(path):
                found.append(path)
    return found


def dotted(node: ast.expr) -> str | None:
    """``a.b`` of an expression that is names and dots only."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (owner := dotted(node.value)):
        return f"{owner}.{node.attr}"
    return None


def unpublished(module: str) -> list[str]:
    """The module itself, if some part of its name is private."""
    return [module] if any(part.startswith("_") for part in module.split(".")) else []


@cache
def is_module(path: str) -> bool:
    """Whether a dotted name is a module and not, as `micro.evolve`, a function of the same name."""
    owner, _, name = path.rpartition(".")
    if owner and is_module(owner) and hasattr(importlib.import_module(owner), name):
        found = getattr(importlib.import_module(owner), name)
        return isinstance(found, ModuleType) and found.__name__ == path
    return importlib.util.find_spec(path) is not None


@cache
def public(module: str) -> frozenset[str]:
    """The names that a module publishes."""
    return frozenset(getattr(importlib.import_module(module), "__all__", ()))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_cells_use_public_names(chapter):
    assert private_names("\n".join(cells(chapter))) == []


@pytest.mark.parametrize(
    "source",
    [
        "from lattice._kernels import march",
        "import lattice._kernels.march as fast",
        "from lattice import _coefficient",
        "import lattice as lk\nlk.no_such_name()",
        "from lattice import stats\nstats.np",
    ],
)
def test_private_names_are_noticed(source):
    assert private_names(source)
