"""The pages with other seeds: what a cell asserts must not hang on its random numbers."""

from __future__ import annotations

import sys
from pathlib import Path

import jupytext
import pytest
from nbclient import NotebookClient

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book"))

from _ext.teacher import teachers
from _format import chapters


@pytest.mark.cells
@pytest.mark.parametrize("page", chapters(), ids=lambda page: page.stem)
def test_cells_hold_for_other_seeds(page):
    """The kernel is a process of this one and takes its offset."""
    NotebookClient(
        jupytext.reads(teachers(page.read_text("utf-8")), fmt="md:myst"),
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": page.parent}},
    ).execute()
