"""Hand the notebooks of the built site to the reader: `make lab`.

They lie in `_build/notebooks`.  What the reader has changed there stays as it is; what nobody has touched
follows the book.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def hand_out(made: Path, place: Path) -> list[str]:
    """Copy all notebooks, but none over one that the reader has changed; which of these the book has anew."""
    known = place / ".handed-out.json"  # of each notebook, as it was then
    handed = json.loads(known.read_text("utf-8")) if known.exists() else {}
    kept = []
    for source in sorted(made.glob("**/*.ipynb")):
        name = source.relative_to(made).as_posix()
        target = place / name
        if target.exists() and digest(target) != handed.get(name):
            if digest(source) != handed.get(name):
                kept.append(name)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        handed[name] = digest(source)
    known.write_text(json.dumps(handed, indent=1), "utf-8")
    return kept


def main() -> None:
    made, place = BUILD / "html" / "_sources" / "book", BUILD / "notebooks"
    if not made.exists():
        raise SystemExit("There are no notebooks yet: run `make book` first.")
    for name in hand_out(made, place):
        print(f"{name} is as you left it. The book has a newer one: rename yours to get it.")
    if not (place / "data").exists():  # where the cells look for what is stored
        (place / "data").symlink_to(ROOT / "book" / "data", target_is_directory=True)
    print(f"The notebooks are in {place.relative_to(ROOT)}. What you change there is never overwritten.")


if __name__ == "__main__":
    main()
