"""Hold the code of the chapters to the style of the package: `make format`.

Only the source of cells is touched; their options and the prose stay as they are
(jupytext alone would rewrite both, and ruff drops the closing semicolon that keeps
a cell from printing its last value unless it knows that it reads a notebook).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import jupytext
from _cells import sources, with_sources
from _ext.teacher import SOLUTIONS

ROOT = Path(__file__).resolve().parents[1]


def chapters() -> list[Path]:
    """The pages with cells."""
    pages = sorted((ROOT / "book").glob("**/*.md"))
    return [page for page in pages if page.parent != SOLUTIONS and sources(page.read_text("utf-8"))]


def notebook_sources(place: Path) -> list[str]:
    """The code of each cell of a notebook."""
    return [cell.source for cell in jupytext.read(place).cells if cell.cell_type == "code"]


def ruff(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run ruff over the chapters, written as notebooks into a folder."""
    program = Path(sys.executable).with_name("ruff")
    return subprocess.run(
        [program, *command, "--config", ROOT / "pyproject.toml", "--line-length", "88", folder],
        capture_output=True,
        text=True,
        check=False,
    )


def write_notebooks(folder: Path, texts: dict[Path, str]) -> dict[Path, Path]:
    """Write the texts of pages as notebooks; which is where."""
    places = {page: folder / page.relative_to(ROOT).with_suffix(".ipynb") for page in texts}
    for page, place in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        jupytext.write(jupytext.reads(texts[page], fmt="md:myst"), place)
    return places


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        texts = {page: page.read_text("utf-8") for page in [*chapters(), *SOLUTIONS.glob("*.md")]}
        places = write_notebooks(Path(name), texts)
        ruff(Path(name), "check", "--fix", "--quiet")
        ruff(Path(name), "format", "--quiet")
        for page, place in places.items():
            text = with_sources(texts[page], notebook_sources(place))
            if text != texts[page]:
                page.write_text(text, "utf-8")
                print(f"{page.relative_to(ROOT)} reformatted")


if __name__ == "__main__":
    main()
