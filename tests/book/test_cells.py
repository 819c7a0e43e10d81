"""The cells of the chapters as code: style, length, and nothing but public names."""

from __future__ import annotations

import ast
import importlib.util
import sys
from functools import cache
from pathlib import Path
from statistics import median
from types import ModuleType

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book"))

from _format import ROOT, chapters, ruff, sources, write_notebooks

CHAPTERS = [page.relative_to(ROOT).as_posix() for page in chapters()]


@cache
def cells(chapter: str) -> list[str]:
    """Sources of the code cells of a chapter."""
    return sources(ROOT / chapter, "md:myst")


def test_there_are_chapters():
    """The other tests run over this list: it may not be empty."""
    assert "book/noisy-chains/harmonic-chain.md" in CHAPTERS


@pytest.mark.parametrize("command", [("check",), ("format", "--check")])
def test_ruff(command, tmp_path):
    """Cells are held to the same style as modules; `make format` mends most of it."""
    write_notebooks(tmp_path)
    done = ruff(tmp_path, *command)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_cell_is_one_call(chapter):
    """DESIGN: at most 30 lines, and half of the cells have at most 8."""
    lengths = [len([line for line in source.splitlines() if line.strip()]) for source in cells(chapter)]
    assert max(lengths) <= 30
    assert median(lengths) <= 8


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
