"""The pages with other seeds: what a cell asserts must not hang on its random numbers."""

from __future__ import annotations

import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book"))

from _format import ROOT, chapters

SHIFT = """import sys
sys.path.insert(0, {root!r})
from tests.reseed import shift_seeds
shift_seeds({by})"""


@pytest.mark.cells
@pytest.mark.parametrize("page", chapters(), ids=lambda page: page.stem)
def test_cells_hold_for_other_seeds(page, request):
    notebook = jupytext.read(page, fmt="md:myst")
    by = request.config.getoption("--shift")
    notebook.cells.insert(0, nbformat.v4.new_code_cell(SHIFT.format(root=str(ROOT), by=by)))
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": page.parent}}
    ).execute()
