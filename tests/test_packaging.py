"""The package outside this repository: what it is made of, and what it needs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, requires
from pathlib import Path

from tests.book.test_cells import CHAPTERS, cells

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = SETTINGS["project"]
DATA = SETTINGS["tool"]["setuptools"]["package-data"]
PACKAGE = ROOT / "lattice"
KNOWN = packages_distributions()  # of each module, where it comes from


def names(requirements):
    """The distributions that requirements name, without versions and extras."""
    return {re.match(r"[\w.-]+", requirement)[0].lower() for requirement in requirements}


def brought(distributions):
    """They and all that is installed with them."""
    found, waiting = set(), set(distributions)
    while waiting:
        found |= waiting
        needs = [need for name in waiting for need in requires(name) or () if "extra ==" not in need]
        waiting = {name for name in names(needs) if installed(name)} - found
    return found


def installed(name):
    """Some are for other systems or older versions of Python."""
    try:
        return bool(distribution(name))
    except PackageNotFoundError:
        return False


def imported(source):
    """The distributions that a piece of code imports, Python's own modules and `lattice` left out."""
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules.add(node.module.partition(".")[0])
    return {KNOWN[module][0].lower() for module in modules - {*sys.stdlib_module_names, "lattice"}}


def imported_by(files):
    return set().union(*(imported(file.read_text("utf-8")) for file in files))


def test_the_package_names_what_it_imports():
    """By itself or through what it names; and no more than that."""
    figures = set(PACKAGE.glob("figures/**/*.py"))
    base = imported_by(set(PACKAGE.rglob("*.py")) - figures)
    named = names(PROJECT["dependencies"])
    assert named <= base <= brought(named)
    drawn, extra = imported_by(figures), names(PROJECT["optional-dependencies"]["figures"])
    assert extra <= drawn <= brought(named | extra)


def test_the_ceiling_of_numba_is_right_above_the_version_of_the_book():
    """So that both move together, the kernels tested between."""
    (ceiling,) = re.findall(r"^numba>=[\d.]+,<0\.(\d+)$", "\n".join(PROJECT["dependencies"]), re.MULTILINE)
    pins = "\n".join(PROJECT["optional-dependencies"]["book"])
    assert re.findall(r"^numba==0\.(\d+)\.", pins, re.MULTILINE) == [str(int(ceiling) - 1)]


def test_the_notebooks_name_what_they_import():
    needed = imported("\n".join(source for chapter in CHAPTERS for source in cells(chapter)))
    extras = PROJECT["optional-dependencies"]
    assert needed <= names([*PROJECT["dependencies"], *extras["figures"], *extras["notebook"]])
    assert names(extras["notebook"]) - needed == {PROJECT["name"]}
    assert "lattice-kinetics[figures]" in extras["notebook"]


def test_what_code_imports_is_seen():
    source = "import os\nimport scipy.stats as st\nfrom numpy import linalg\nfrom . import x\nimport lattice"
    assert imported(source + "\ndef f():\n    from myst_nb import glue") == {"scipy", "numpy", "myst-nb"}


def test_every_file_of_the_package_is_installed():
    """What is installed are the modules of regular packages, and the data that are named."""
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    data = [path.relative_to(ROOT) for path in files if path.suffix != ".py"]
    named = {Path(*home.split("."), name) for home, each in DATA.items() for name in each}
    assert set(data) == named
    assert [path for path in files if not path.with_name("__init__.py").exists()] == []


def test_figures_say_what_they_need():
    """The rest of the package does without."""
    program = """
import sys
sys.modules["matplotlib"] = None
import lattice as lk
lk.micro, lk.kinetic, lk.macro, lk.__version__
try:
    lk.figures
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "pip install 'lattice-kinetics[figures]'" in done.stdout
