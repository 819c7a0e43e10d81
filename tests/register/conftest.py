"""A small repository with claims of its own, on which pytest is run."""

import importlib.util
import os
import shutil
import subprocess
import sys

import pytest

from book.register import ROOT

CLAIM = """
  - {{id: x-{n}, source: x, equation: ({n}), claim: It is {n}., verdict: confirmed, section: page#label,
     tests: ["tests/test_x.py::test_{n}"], quantities: [x-{n}/number]}}
"""
TESTS = """
from pathlib import Path
import os, signal
import pytest
from lattice import ONE
from lattice.two import TWO

def ran(name):
    with Path(__file__).with_name("runs").open("a") as file:
        file.write(name)

def test_1(claim, record):
    ran("1")
    claim.agrees(ONE, 1.0)
    record("x-1/number", ONE, method="by hand")

def test_2(claim, record):
    ran("2")
    claim.agrees(TWO, 2.0)
    record("x-2/number", TWO, method="by hand")
    if Path(__file__).with_name("kill").exists():
        os.kill(os.getpid(), signal.SIGKILL)
"""


class Repository:
    """Two claims, a package of three modules and the machinery under test."""

    def __init__(self, root):
        self.root = root
        machinery = [path.relative_to(ROOT) for path in (ROOT / "book" / "register").glob("*.py")]
        others = ("tests/conftest.py", "tests/reseed.py", "book/_cells.py", "book/_ext/teacher.py")
        for name in (*others, *machinery):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
        self.write("pytest.ini", "[pytest]\npythonpath = .\nmarkers = claims\nfilterwarnings = error\n")
        self.write("tests/__init__.py", "")
        self.write("lattice/__init__.py", "from .one import *\nfrom .unused import NOTHING\n")
        self.write("lattice/one.py", '"""One."""\nONE = 1.0\n')
        self.write("lattice/two.py", "TWO = 2.0\n")
        self.write("lattice/unused.py", "NOTHING = 0.0\n")
        self.write("tests/test_x.py", TESTS)
        claims = "".join(CLAIM.format(n=n) for n in (1, 2))
        sources = "sources: {x: {authors: X, title: X, cite: x, texts: {x: x}}}"
        self.write("book/claims.yml", f"{sources}\nfindings: []\nclaims:{claims}")
        self.measured = root / "book/data/measured.json"
        self.measured.parent.mkdir()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def edit(self, name, old, new):
        text = (self.root / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new, 1))

    def pytest(self, *arguments):
        """Run pytest in it: exit code and output."""
        command = [sys.executable, "-B", "-m", "pytest", "-q", *arguments, "tests"]
        environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        done = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def runs(self):
        """Which claim tests have run since the last call."""
        path = self.root / "tests/runs"
        names = path.read_text() if path.exists() else ""
        path.unlink(missing_ok=True)
        return names

    def code_hash(self, name):
        """What the machinery of this repository says of a file."""
        return self.provenance().code_hash(self.root / name)

    def provenance(self):
        """Its machinery, loaded afresh: it remembers the files that it has read."""
        path = self.root / "book/register/provenance.py"
        spec = importlib.util.spec_from_file_location("provenance_of_another", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path)
