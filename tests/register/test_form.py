"""The claims register: its entries, the tests, sections and numbers that they name."""

import ast
import copy

import pytest

import book.register
from book.register import ROOT, mismeasured, problems, read_measured, read_register

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


def test_register_and_tests_and_chapters_and_numbers_agree():
    claims = read_register()["claims"]
    assert missing_tests(claims, ROOT) == []
    assert missing_sections(claims, ROOT) == []
    assert mismatches(claims, read_measured()) == []


def test_a_register_that_does_not_agree_is_seen():
    claims, measured = read_register()["claims"], read_measured()
    wrong = copy.deepcopy(claims)
    wrong[0]["tests"].append(wrong[0]["tests"][0] + "_forgotten")
    wrong[1]["tests"] = ["tests/claims/test_nothing.py::test_it"]
    assert missing_tests(wrong, ROOT) == sorted([wrong[0]["tests"][1], *wrong[1]["tests"]])
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verdict": "true"}, "verdict = 'true'; allowed: confirmed, corrected, open"),
        ({"verdict": "confirmed"}, "`print` does not belong here"),
        ({"evidence": None}, "evidence = None; allowed: a text"),
        ({"tests": []}, "tests = []; allowed: a list of texts"),
        ({"tests": ["tests/test_it.py"]}, "'tests/test_it.py'; allowed: tests/…/test_….py::test_…"),
        ({"section": "harmonic-chain"}, "'harmonic-chain'; allowed: a page below book/"),
        ({"source": "olla"}, "source = 'olla'; allowed: the one of bos"),
        ({"quantities": ["bos-2/x"]}, "quantity 'bos-2/x'; allowed: names that begin with bos-1/"),
        ({"doubt": "yes"}, "`doubt` does not belong here"),
        ({"id": "bos-3"}, "id bos-3 occurs twice"),
    ],
)
def test_mistakes_in_the_form_are_named(change, message):
    document = read_register()
    document["claims"][0] |= change
    assert message in "\n".join(problems(document))


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
    assert problems(None) == ["allowed at the top: `sources` and `claims`"]
    document = read_register()
    del document["claims"][0]["section"]
    del document["claims"][1]["id"]
    del document["sources"]["bos"]["cite"]
    assert len(problems(document)) == 3


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
