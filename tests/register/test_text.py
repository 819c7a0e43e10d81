"""What the pages say of an entry: numbers, corrections, totals, and where the code of a test is."""

import sys
from types import SimpleNamespace

import pytest
from sphinx.highlighting import PygmentsBridge

from book.register import ROOT, read_register

sys.path.insert(0, str(ROOT / "book" / "_ext"))

import claims
import claims_code
import claims_text as text

MEASURED = {
    "x-1/a": {"value": [2.0, -1.0], "stderr": 0.0, "systematic": 0.0},
    "x-1/b": {"value": 3.1401, "stderr": 0.003, "systematic": 0.004},
}


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (2.0, 0.0, "2"),
        (-0.123456789, 0.0, "−0.123457"),
        (1.23456, 0.0112, "1.235(11)"),
        (-7.0, 0.2, "−7.00(20)"),
        (1125.5, 30.0, "1126(30)"),
    ],
)
def test_numbers_of_the_tables(value, error, said):
    assert text.brief(value, error) == said


@pytest.mark.parametrize(
    ("quantities", "lines"),
    [
        (["x-1/a"], [("–", "–", "2", "–"), ("–", "–", "−1", "")]),
        ({"x-1/a": None}, [("–", "–", "2", "–"), ("–", "–", "−1", "")]),
        ({"x-1/a": {"printed": [1, 1], "ours": [2, -1]}}, [("1", "2", "2", "exact"), ("1", "−1", "−1", "")]),
        ({"x-1/a": {"ours": [2, -1], "within": 0.01}}, [("–", "2", "2", "1 %"), ("–", "−1", "−1", "")]),
        ({"x-1/b": {"ours": 3.15}}, [("–", "3.15", "3.1401(50)", "2.0")]),
        (["x-1/c"], [("–",) * 4]),  # not measured yet
        ([], [("–",) * 4]),
    ],
)
def test_a_line_for_each_number(quantities, lines):
    assert text.columns({"quantities": quantities}, MEASURED) == lines


def entry(**change):
    """A correction."""
    texts = {"print": "PRINT", "correction": "CORRECTION", "evidence": "EVIDENCE", "claim": "CLAIM"}
    form = {
        "id": "x-1",
        "source": "x",
        "equation": "(1)",
        "verdict": "corrected",
        "kind": "slip",
        "seen": "a",
    }
    return texts | form | {"section": "page#label", "tests": ["tests/test_x.py::test_1"]} | change


def test_slips_are_told_in_the_register_and_listed_in_the_errata():
    told = {
        kind: "\n".join(text.register_entry(entry(kind=kind), MEASURED, {"a": "TEXT"}))
        for kind in ("slip", "gap")
    }
    for word in ("PRINT", "CORRECTION", "EVIDENCE"):
        assert word in told["slip"]
        assert word not in told["gap"]
    assert "erratum-x-1" in told["gap"]
    assert "erratum-x-1" not in told["slip"]
    listed = "\n".join(text.slip(entry()))
    assert listed.startswith("- **Equation (1)**")
    assert "PRINT" in listed
    assert "EVIDENCE" not in listed
    full = "\n".join(text.erratum(entry(kind="gap"), {"a": "TEXT"}))
    assert "### Equation (1) {claim-kind}`gap`" in full
    assert "EVIDENCE" in full


def test_the_text_is_named_if_there_are_several():
    one, two = ("\n".join(text.correction(entry(), texts)) for texts in ({"a": "A"}, {"a": "AA", "b": "BB"}))
    assert "Which is" not in one
    assert "Which is AA." in two


def counts(register):
    """The numbers of the summary: of each verdict and kind, by source."""
    rows = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in text.summary(register)[2:-1]]
    return {(verdict, kind): list(map(int, numbers)) for verdict, kind, *numbers in rows}


@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_every_claim_counts_once(first):
    """In the column of its source and the row of its verdict and kind."""
    register, other = read_register(), {"y": {"authors": "Y"}}
    register["sources"] = other | register["sources"] if first else register["sources"] | other
    register["claims"] += [entry(source="y", kind="gap"), entry(source="y", verdict="open", kind=None)]
    *columns, together = counts(register).values()
    totals = [sum(claim["source"] == key for claim in register["claims"]) for key in register["sources"]]
    assert [sum(column) for column in zip(*columns, strict=True)] == together == totals
    place = 0 if first else -1
    assert {row: numbers[place] for row, numbers in counts(register).items() if numbers[place]} == {
        ("{claim-verdict}`corrected`", "gap"): 1,
        ("{claim-verdict}`open`", ""): 1,
        ("together", ""): 2,
    }


def test_the_filter_tells_namesakes_in_two_folders_apart():
    one, two = (claims.marks(entry(section=f"{part}/page#label")) for part in ("one", "two"))
    (mark,) = set(one) - set(two)
    assert mark == "chapter-one/page"


def test_code_has_an_anchor_at_each_test():
    code = 'X = 1\n\n\ndef helper():\n    return "a\\nb"\n\n\ndef test_1():\n    assert X\n'
    app = SimpleNamespace(builder=SimpleNamespace(highlighter=PygmentsBridge("html")))
    lines = claims_code.listing(app, "tests/test_x.py", code).splitlines()
    (place,) = [number for number, line in enumerate(lines) if 'id="test_1"' in line]
    assert place == code.splitlines().index("def test_1():")
    assert "test_1" in lines[place].partition("</span>")[2]
    assert "helper" not in "".join(line for line in lines if "id=" in line)
