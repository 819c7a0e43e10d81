"""What `make lab` does with the notebooks that a reader has changed."""

from __future__ import annotations

import sys

import pytest

from tests.book.site import ROOT

sys.path.insert(0, str(ROOT / "book"))

import _lab


@pytest.fixture
def folders(tmp_path):
    made, place = tmp_path / "made", tmp_path / "place"
    (made / "part").mkdir(parents=True)
    for name in ("touched", "untouched"):
        (made / "part" / f"{name}.ipynb").write_text("first")
    assert _lab.hand_out(made, place) == []
    return made / "part", place / "part"


def built_anew(folders):
    made, place = folders
    for path in made.iterdir():
        path.write_text("second")
    return _lab.hand_out(made.parent, place.parent)


def test_what_nobody_touched_follows_the_book(folders):
    assert built_anew(folders) == []
    assert {path.read_text() for path in folders[1].iterdir()} == {"second"}


def test_what_the_reader_changed_stays(folders):
    (folders[1] / "touched.ipynb").write_text("the reader's")
    assert _lab.hand_out(folders[0].parent, folders[1].parent) == []  # nothing new to tell
    for _ in range(2):  # and it is said each time
        assert built_anew(folders) == ["part/touched.ipynb"]
        assert (folders[1] / "touched.ipynb").read_text() == "the reader's"
        assert (folders[1] / "untouched.ipynb").read_text() == "second"


def test_what_was_renamed_comes_again(folders):
    (folders[1] / "touched.ipynb").write_text("the reader's")
    (folders[1] / "touched.ipynb").rename(folders[1] / "mine.ipynb")
    assert built_anew(folders) == []
    assert (folders[1] / "touched.ipynb").read_text() == "second"
    assert (folders[1] / "mine.ipynb").read_text() == "the reader's"
