"""The claims register: its entries, the tests, sections and numbers that they name."""

import ast
import copy

import pytest

import book.register
from book.register import ROOT, agreement, mismeasured, problems, read_measured, read_register

# Each check is a function, so that it can be shown to fail below.


def missing_tests(claims, root):
    """Tests that the register names and that do not exist."""
    found = []
    for name in {test for entry in claims for test in entry["tests"]}:
        file, _, function = name.partition("::")
        path = root / file
        tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
        if not any(isinstance(node, ast.FunctionDef) and node.name == function for node in tree.body):
            found.append(name)
    return sorted(found)


def missing_sections(claims, root):
    """Sections that the register names and that no chapter has."""
    found = []
    for name in {entry["section"] for entry in claims}:
        page, _, label = name.partition("#")
        path = root / "book" / f"{page}.md"
        if not path.is_file() or f"\n({label})=\n#" not in path.read_text(encoding="utf-8"):
            found.append(name)
    return sorted(found)


def mismatches(claims, measured):
    """Where the register and the recorded numbers do not belong together."""
    tests = {key: entry["tests"] for entry in claims for key in entry.get("quantities", ())}
    found = [f"{key} is not recorded" for key in tests if key not in measured]
    for key, entry in measured.items():
        if key not in tests:
            found.append(f"{key} belongs to no claim")
        elif entry["test"] not in tests[key]:
            found.append(f"{key} is recorded by {entry['test']}, which its claim does not name")
    return found


def strangers(claims, measured):
    """Numbers of the register that the measured ones contradict, or ought to."""
    found = []
    for entry in claims:
        quantities = entry.get("quantities", ())
        for key, numbers in quantities.items() if isinstance(quantities, dict) else ():
            said = dict(numbers or {})
            options = {name: said.pop(name) for name in ("within",) if name in said}
            for name, number in said.items():
                expected = name == "ours" or entry["verdict"] != "corrected"
                if agreement(number, measured[key], **options)[0] != expected:
                    found.append(f"{key}: {name} = {number}, measured {measured[key]['value']}")
    return found


def test_register_and_tests_and_chapters_and_numbers_agree():
    register, measured = read_register(), read_measured()
    entries = register["claims"] + register["findings"]
    assert missing_tests(entries, ROOT) == []
    assert missing_sections(entries, ROOT) == []
    assert mismatches(register["claims"], measured) == []
    assert strangers(register["claims"], measured) == []


@pytest.mark.parametrize(
    ("verdict", "numbers", "right"),
    [
        ("corrected", {"printed": 1, "ours": 2}, True),
        ("corrected", {"printed": 2}, False),  # the print agrees
        ("corrected", {"ours": 1}, False),
        ("corrected", {"ours": 2.00001}, False),
        ("corrected", {"ours": 2.00001, "within": 1e-4}, True),
        ("corrected", {"ours": [2, 2]}, False),
        ("corrected", None, True),
        ("confirmed", {"printed": 2, "ours": 2}, True),
        ("confirmed", {"printed": 1, "ours": 2}, False),
    ],
)
def test_typed_numbers_are_held_to_the_measured_ones(verdict, numbers, right):
    claims = [{"verdict": verdict, "quantities": {"x-1/a": numbers}}, {"verdict": verdict}]
    measured = {"x-1/a": {"value": 2.0, "stderr": 0.0, "systematic": 0.0}}
    assert bool(strangers(claims, measured)) is not right


@pytest.mark.parametrize(
    ("number", "errors", "found"),
    [
        (2.0, (0.0, 0.0), (True, None)),
        (2.1, (0.0, 0.0), (False, None)),
        (2.0 + 4.8e-3, (1e-3, 0.0), (True, 4.8)),
        (2.0 + 5.0e-3, (1e-3, 0.0), (False, 5.0)),
        (2.0 + 5.0e-3, (3e-3, 4e-3), (True, 1.0)),
        (1.9, (0.0, 0.1), (True, 1.0)),
        ([2.0], (0.1, 0.0), (True, 0.0)),
        ([2.0, 2.0], (0.1, 0.0), (False, None)),
    ],
)
def test_deviations_are_told_in_standard_errors(number, errors, found):
    entry = {"value": 2.0, "stderr": errors[0], "systematic": errors[1]}
    agrees, deviation = agreement(number, entry)
    assert (agrees, deviation) == (found[0], pytest.approx(found[1]))
    assert agreement([2.0, 1.0], entry | {"value": [2.0, 1.0], "stderr": [errors[0], 0.0]})[0]


def test_a_register_that_does_not_agree_is_seen():
    claims, measured = read_register()["claims"], read_measured()
    wrong = copy.deepcopy(claims)
    wrong[0]["tests"].append(wrong[0]["tests"][0] + "_forgotten")
    wrong[1]["tests"] = ["tests/claims/test_nothing.py::test_it"]
    assert missing_tests(wrong, ROOT) == sorted([wrong[0]["tests"][-1], *wrong[1]["tests"]])
    wrong[0]["section"] += "-elsewhere"
    assert missing_sections(wrong, ROOT) == [wrong[0]["section"]]

    key, entry = next(iter(measured.items()))
    rest = {name: other for name, other in measured.items() if name != key}
    for change, message in [
        (rest, "is not recorded"),
        (measured | {"bos-1/other": entry}, "belongs to no claim"),
        (measured | {key: entry | {"test": "tests/claims/test_nothing.py::test_it"}}, "does not name"),
    ]:
        found = mismatches(claims, change)
        assert len(found) == 1
        assert message in found[0]


FINDING = {
    "id": "our-1",
    "finding": "It is so.",
    "searched": "Nothing yet.",
    "nearest": "None known to us.",
    "section": "noisy-chains/harmonic-chain#hc-dispersion",
    "tests": ["tests/claims/test_bos_harmonic.py::test_bos_3_factor_two"],
}


def a_document():
    """A register of two sources with a correction, a confirmation and a finding."""
    source = {"authors": "X", "title": "On x", "cite": "x", "texts": {"print": "the journal"}}
    shown = {"section": "part/page#label", "tests": ["tests/test_x.py::test_1"]}
    claim = shown | {"id": "x-3", "source": "x", "equation": "(3)", "claim": "So.", "verdict": "confirmed"}
    words = {"print": "It is 1.", "correction": "It is 2.", "evidence": "See there."}
    change = {"id": "x-1", "verdict": "corrected", "kind": "slip", "seen": "print", "quantities": ["x-1/gap"]}
    sources = {"x": source, "y": source | {"texts": {"machine": "a preprint"}}}
    return {"sources": sources, "claims": [claim | change | words, claim], "findings": [dict(FINDING)]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verdict": "true"}, "verdict = 'true'; allowed: confirmed, corrected, open"),
        ({"verdict": "confirmed"}, "`print` does not belong here"),
        ({"evidence": None}, "evidence = None; allowed: a text"),
        ({"tests": []}, "tests = []; allowed: a list of texts"),
        ({"tests": ["tests/test_it.py"]}, "'tests/test_it.py'; allowed: tests/…/test_….py::test_…"),
        ({"section": "harmonic-chain"}, "'harmonic-chain'; allowed: a page below book/"),
        ({"source": "olla"}, "source = 'olla'; allowed: the one of x, y"),
        ({"kind": None}, "kind = None; allowed: constant, gap, overstated, slip"),
        ({"kind": "trifle"}, "kind = 'trifle'; allowed: constant, gap, overstated, slip"),
        ({"verdict": "open"}, "`kind` does not belong here"),
        ({"seen": "journal"}, "seen = 'journal'; allowed: a text of the source: print"),
        ({"print": "A typo in (1)."}, "print says 'typo'; allowed: what a letter to the authors would say"),
        ({"evidence": "They forgot it."}, "evidence says 'forgot'"),
        ({"correction": " "}, "correction = ' '; allowed: a text"),
        ({"quantities": ["x-2/x"]}, "quantity 'x-2/x'; allowed: names that begin with x-1/"),
        ({"quantities": []}, "quantities = []; allowed: a list of texts"),
        (
            {"quantities": {"x-1/gap": {}}},
            "x-1/gap: {}; allowed: nothing, or some of ours, printed, within",
        ),
        ({"quantities": {"x-1/gap": {"theirs": 1}}}, "allowed: nothing, or some of ours, printed, within"),
        ({"quantities": {"x-1/gap": {"ours": "1"}}}, "ours = '1'; allowed: a finite number or a list"),
        ({"quantities": {"x-1/gap": {"printed": []}}}, "printed = []; allowed: a finite number or a list"),
        ({"quantities": {"x-1/gap": {"ours": [True]}}}, "ours = [True]; allowed: a finite number"),
        (
            {"quantities": {"x-1/gap": {"ours": 1, "within": 0.2}}},
            "within = 0.2; allowed: 0 < within ≤ 0.1",
        ),
        ({"doubt": "yes"}, "`doubt` does not belong here"),
        ({"id": "x-3"}, "id x-3 occurs twice"),
    ],
)
def test_mistakes_in_the_form_are_named(change, message):
    document = a_document()
    document["claims"][0] |= change
    assert message in "\n".join(problems(document))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, ""),
        ({"id": "x-1"}, "x-1: id = 'x-1'; allowed: names that begin with our-"),
        ({"searched": None}, "our-1: searched = None; allowed: a text"),
        ({"nearest": ""}, "our-1: nearest = ''; allowed: a text"),
        ({"verdict": "confirmed"}, "our-1: `verdict` does not belong here"),
        ({"claim": "It is so."}, "our-1: `claim` does not belong here"),
        ({"tests": []}, "our-1: tests = []; allowed: a list of texts"),
        ({"section": "harmonic-chain"}, "our-1: section: 'harmonic-chain'; allowed: a page below book/"),
    ],
)
def test_mistakes_in_the_form_of_a_finding_are_named(change, message):
    document = a_document()
    document["findings"] = [FINDING | change]
    found = problems(document)
    assert message in "\n".join(found) if message else found == []
    document["findings"] = [{name: x for name, x in (FINDING | change).items() if name != "searched"}]
    assert "our-1: `searched` is missing" in problems(document) or "id" in change
    document["findings"] = [FINDING, FINDING]
    assert problems(document) == ["id our-1 occurs twice"]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("value", float("nan")),
        ("value", "1.0"),
        ("value", True),
        ("value", [[1.0]]),
        ("value", []),
        ("stderr", -0.1),
        ("stderr", float("inf")),
        ("stderr", [0.1, 0.1]),
        ("systematic", None),
        ("seed", 1.5),
        ("seed", -1),
        ("code_hash", "0" * 15),
        ("method", " "),
        ("method", "two\nlines"),
        ("test", "tests/test_it.py"),
        ("by", "hand"),
    ],
)
def test_mistakes_in_the_form_of_a_number_are_named(field, wrong):
    key, entry = next(iter(read_measured().items()))
    (found,) = mismeasured({key: entry | {field: wrong}})
    assert found.startswith(f"{key}: {field} = " if field in entry else f"{key} is ")
    assert mismeasured({key: {name: x for name, x in entry.items() if name != "seed"}})
    assert mismeasured([entry])


def test_form_of_the_whole_document():
    assert problems(None) == ["allowed at the top: `sources`, `claims` and `findings`"]
    document = a_document()
    del document["claims"][0]["section"]
    del document["claims"][1]["id"]
    del document["sources"]["x"]["cite"]
    assert len(problems(document)) == 3
    document = a_document()
    document["sources"]["x"]["texts"] = {"print": ""}
    document["findings"] = ["It is so."]
    assert problems(document) == [
        "source x: texts = {'print': ''}; allowed: names and what they stand for",
        "number 1 of the findings has no id",
    ]


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(book.register.form, "REGISTER", tmp_path / "claims.yml")
    monkeypatch.setattr(book.register.measured, "MEASURED", tmp_path / "measured.json")
    assert read_measured() == {}
    (tmp_path / "claims.yml").write_text("claims: [")
    (tmp_path / "measured.json").write_text('{"x-1/number": ')
    with pytest.raises(ValueError, match="is not YAML"):
        read_register()
    with pytest.raises(ValueError, match="is not JSON"):
        read_measured()
