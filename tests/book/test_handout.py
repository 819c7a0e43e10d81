"""What `make handout` gives to students: all they need, and no solution of an exercise for assignment."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from tests.book.site import ROOT, SITE
from tests.book.test_teacher import PAGES, SOLVED, leaks

sys.path.insert(0, str(ROOT / "book"))

import _handout

PUBLIC = "".join(page.read_text("utf-8") for page in PAGES)


def imports(notebook: Path) -> str:
    """What the cells of a notebook import, as a program that says where the package comes from."""
    cells = [cell.source for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    nodes = [node for source in cells for node in ast.parse(source).body]
    lines = [ast.unparse(node) for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))]
    return "\n".join([*lines, "import lattice", "print(lattice.__file__)"])


def run(program: str, handout: Path, chapter: Path) -> str:
    """What a program prints that finds the package of the handout, and nothing beside it."""
    environment = os.environ | {
        "PYTHONPATH": str(handout / "lattice-kinetics"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-P", "-c", program]
    done = subprocess.run(
        command, cwd=chapter.parent, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A site of one chapter."""
    made = tmp_path / "made"
    (made / "part").mkdir(parents=True)
    cell = nbformat.v4.new_code_cell("import lattice as lk\nfrom myst_nb import glue\nlk.figures, lk.micro")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), made / "part" / "chapter.ipynb")
    (made / "part" / "chapter.md").write_text("its source")
    return made


def test_a_handout_is_made_afresh_and_its_package_works(made, tmp_path):
    place = tmp_path / "handout"
    (place / "part").mkdir(parents=True)
    (place / "part" / "stale.ipynb").touch()
    _handout.gather(made, place)
    notebooks = [path.relative_to(place).as_posix() for path in place.glob("**/*.ipynb")]
    assert notebooks == ["part/chapter.ipynb"]
    kinds = {path.name for path in place.iterdir()}
    assert kinds == {"README.md", "data", "lattice-kinetics", "part"}
    assert leaks(place, SOLVED, PUBLIC) == []
    program = imports(place / "part" / "chapter.ipynb")
    assert run(program, place, place / "part" / "chapter.ipynb").startswith(str(place))


def test_the_package_of_a_handout_is_whole(made, tmp_path):
    """Each module, and each file that pip asks for."""
    place = tmp_path / "handout"
    _handout.gather(made, place)
    package = place / "lattice-kinetics"
    for source in (ROOT / "lattice").rglob("*.py"):
        assert (package / source.relative_to(ROOT)).read_bytes() == source.read_bytes()
    assert {path.name for path in package.iterdir()} == set(_handout.PACKAGE)
    assert not list(package.rglob("__pycache__"))
    assert f"./{package.name}[notebook]" in (place / "README.md").read_text("utf-8")


def test_one_file_to_pass_on(made, tmp_path, monkeypatch):
    monkeypatch.setattr(_handout, "BUILD", tmp_path)
    with pytest.raises(SystemExit, match="run `make book` first"):
        _handout.main()
    (tmp_path / "html" / "_sources").mkdir(parents=True)
    made.rename(tmp_path / "html" / "_sources" / "book")
    _handout.main()
    with zipfile.ZipFile(tmp_path / "handout.zip") as packed:
        assert {"handout/README.md", "handout/part/chapter.ipynb"} <= set(packed.namelist())


@pytest.mark.site
def test_the_notebooks_of_the_site_as_a_handout(tmp_path):
    """No solution is among them, and what they import is there."""
    _handout.gather(SITE / "_sources" / "book", tmp_path)
    assert leaks(tmp_path, SOLVED, PUBLIC) == []
    chapters = [path for path in tmp_path.glob("*/*.ipynb") if "appendix" not in path.name]
    assert len(chapters) >= 10
    for chapter in chapters[:2]:
        assert run(imports(chapter), tmp_path, chapter).startswith(str(tmp_path))
