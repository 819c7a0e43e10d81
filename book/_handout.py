"""What students may have: `make handout`.

The notebooks of the public site, the package as a folder that pip installs, and how to start.  No solution
of an exercise for assignment is in it, as there is none in that site.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from _lab import BUILD, ROOT

PACKAGE = ("lattice", "pyproject.toml", "README.md", "LICENSE", "requirements.txt")
README = """# Lattice Kinetics: the notebooks

You need Python 3.11 or later and a network, once. In this folder:

    python3 -m venv env
    env/bin/pip install -c lattice-kinetics/requirements.txt './lattice-kinetics[notebook]' jupyterlab
    env/bin/jupyter lab

(On Windows the programs are in `env\\Scripts` instead of `env/bin`.) Then open a chapter in the list of
files on the left and run its cells from the top: Shift+Enter, one after the other. A check that fails shows
what the text assumes.

The text may be shared and adapted under CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/), the code
under the BSD 3-clause licence (`lattice-kinetics/LICENSE`). Please credit "the Lattice Kinetics authors".
"""


def gather(made: Path, place: Path) -> None:
    """Put together the folder afresh, from the notebooks in `made`."""
    shutil.rmtree(place, ignore_errors=True)
    for source in sorted(made.glob("**/*.ipynb")):
        target = place / source.relative_to(made)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    shutil.copytree(ROOT / "book" / "data", place / "data")  # where the cells look for what is stored
    for name in PACKAGE:
        source, target = ROOT / name, place / "lattice-kinetics" / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    (place / "README.md").write_text(README, "utf-8")


def main() -> None:
    made, place = BUILD / "html" / "_sources" / "book", BUILD / "handout"
    if not made.exists():
        raise SystemExit("There are no notebooks yet: run `make book` first.")
    gather(made, place)
    shutil.make_archive(str(place), "zip", BUILD, place.name)
    print("The notebooks are in _build/handout and, as one file to pass on, in _build/handout.zip.")


if __name__ == "__main__":
    main()
