"""The claims register: its entries, and the machinery that holds them to their tests."""

import ast
import copy
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import register
from register import ROOT, mismeasured, problems, read_measured, read_register

from tests.conftest import Claim

# The register itself. Each check is a function, so that it can be shown to fail below.


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


# Comparisons and their failing twins


@pytest.fixture
def trial():
    """A claim of no test in particular."""
    return Claim("tests/test_claims_register.py::test_trial", {"x-1/a"})


@pytest.mark.parametrize("wrong", [2.0, -1.0, 0.0, 1 + 2e-9])
def test_agrees_refuses_a_wrong_value(trial, wrong):
    exact = np.array([3.0, -4.0, 0.5])
    trial.agrees(exact, exact)
    trial.agrees(exact * (1 + 5e-10), exact)
    with pytest.raises(AssertionError, match="measured"):
        trial.agrees(wrong * exact, exact)


@pytest.mark.parametrize("wrong", [2.0, -1.0, 0.0, 1 + 2e-9])
@pytest.mark.parametrize("size", [1.0, 1e-6, 1e-12])
def test_agrees_refuses_a_wrong_entry_however_small(trial, wrong, size):
    exact = np.array([1e3, size])
    trial.agrees(exact, exact)
    with pytest.raises(AssertionError, match="measured"):
        trial.agrees(exact * [1, wrong], exact)


def test_entries_below_the_floor_are_measured_by_it(trial):
    exact = np.array([4.0, 0.1, 0.0])
    trial.agrees([4.0, 0.1, 0.9e-9], exact, floor=0.25)
    with pytest.raises(AssertionError, match="measured"):
        trial.agrees([4.0, 0.1, 0.9e-9], exact)
    with pytest.raises(AssertionError, match="measured"):
        trial.agrees([4.0, 0.1 + 1.1e-9, 0.0], exact, floor=0.25)
    trial.agrees([4.0 + 3.9e-9, 0.1, 0.0], exact, floor=0.25)
    for floor in (1.1, -1.0, np.nan):
        with pytest.raises(ValueError, match=r"floor = .*; allowed: 0 ≤ floor ≤ 1"):
            trial.agrees(exact, exact, floor=floor)


def test_agrees_refuses_a_tolerance_as_large_as_the_value(trial):
    trial.agrees(1.0, 1.0, stderr=0.1)  # 4.9 standard errors reach neither 0 nor 2
    with pytest.raises(AssertionError, match="zero agrees"):
        trial.agrees(1.2, 1.0, stderr=0.25)
    with pytest.raises(AssertionError, match="twice the value agrees"):
        trial.agrees(0.55, 1.0, rtol=0.5)
    with pytest.raises(AssertionError, match="agrees with 0"):
        trial.agrees(0.0, 0.0)


def test_a_statistical_comparison_has_its_false_alarm_probability(trial):
    # two-sided 1e-6 is 4.8916 standard deviations
    trial.agrees(1 + 4.89e-3, 1.0, rtol=0, stderr=1e-3)
    with pytest.raises(AssertionError, match="measured"):
        trial.agrees(1 + 4.90e-3, 1.0, rtol=0, stderr=1e-3)
    # a hundred entries share it
    deviation = 1e-3 * np.eye(1, 100)[0]
    trial.agrees(1 + 5.7 * deviation, np.ones(100), rtol=0, stderr=np.full(100, 1e-3))
    with pytest.raises(AssertionError, match="measured"):
        trial.agrees(1 + 5.8 * deviation, np.ones(100), rtol=0, stderr=np.full(100, 1e-3))


def test_refutes(trial):
    trial.refutes(4.0, 2.0, rtol=0.5)
    with pytest.raises(AssertionError, match="agrees with the print"):
        trial.refutes(2.0 + 1e-10, 2.0)
    with pytest.raises(AssertionError, match="agrees with the print"):
        trial.refutes(2.4, 2.0, stderr=0.1)
    with pytest.raises(AssertionError, match="agrees with the print"):  # a small entry refutes nothing
        trial.refutes([4.0, 1e-10], [4.0, 0.0])
    assert trial.twins == 0


def test_holds(trial):
    trial.holds(lambda x: 2.9 < x < 3.1, 3.0)
    assert trial.twins == 1
    with pytest.raises(AssertionError, match="refuses"):
        trial.holds(lambda x: x < 0, 3.0)
    with pytest.raises(AssertionError, match="cannot fail: it also accepts twice the value"):
        trial.holds(lambda x: x > 0, 3.0)
    assert trial.twins == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], 1.0), "measured has shape"),
        ((np.nan, 1.0), "measured = nan"),
        ((1.0, np.inf), "expected = inf"),
        (([], []), "expected = "),
    ],
)
def test_comparisons_refuse_what_is_not_a_number(trial, arguments, message):
    with pytest.raises(ValueError, match=message):
        trial.agrees(*arguments)


@pytest.mark.parametrize(
    "options", [{"rtol": 1.0}, {"rtol": -1e-3}, {"stderr": -1.0}, {"stderr": [1.0, 1.0]}]
)
def test_comparisons_refuse_bad_tolerances(trial, options):
    with pytest.raises(ValueError, match="allowed"):
        trial.agrees(1.0, 1.0, **options)


@pytest.mark.parametrize(
    ("value", "options", "message"),
    [
        (np.nan, {}, "value = nan"),
        ([1.0, np.inf], {}, "value = "),
        ([[1.0]], {}, "flat list"),
        (1.0, {"stderr": -0.1}, "stderr = -0.1"),
        (1.0, {"systematic": [0.1, 0.1]}, "systematic = "),
        (1.0, {"stderr": 0.01}, "needs the seed"),
        (1.0, {"stderr": 1.0, "seed": 1}, "cannot be told from"),
        (0.0, {}, "cannot be told from"),
        (1.0, {"stderr": 0.2, "seed": 1}, "cannot be told from twice"),  # by two samples
        (1.0, {"method": " "}, "method = "),
        (1.0, {"key": "x-2/a"}, "key = 'x-2/a'; allowed in .*: x-1/a"),
    ],
)
def test_record_refuses(trial, value, options, message):
    with pytest.raises(ValueError, match=message):
        trial.record(**{"key": "x-1/a", "value": value, "method": "by hand"} | options)
    assert trial.entries == {}


def test_record_has_the_form_that_is_published(trial):
    trial.record("x-1/a", [1.5, 2.5], stderr=[0.1, 0.2], systematic=0.05, seed=7, method="by hand")
    entry = trial.entries["x-1/a"]
    assert mismeasured(trial.entries) == []
    assert json.loads(json.dumps(entry)) == entry
    assert (entry["value"], entry["stderr"], entry["systematic"]) == ([1.5, 2.5], [0.1, 0.2], 0.05)
    assert (entry["seed"], entry["method"], entry["test"]) == (7, "by hand", trial.test)
    with pytest.raises(ValueError, match="recorded twice"):
        trial.record("x-1/a", 1.0, method="by hand")


ERRORS = {"stderr": 0.01, "systematic": 0.003, "seed": 7}


def disagreement(trial, change, *, errors=ERRORS, **options):
    """What `compare` says of a committed entry that was changed: 1.0 was computed, with these errors."""
    if not trial.entries:
        trial.record("x-1/a", 1.0, method="by hand", **errors)
    return trial.compare({"x-1/a": trial.entries["x-1/a"] | change}, **options)


@pytest.mark.parametrize(
    "change",
    [
        {"value": 1.0 + 2e-6},
        {"value": -1.0},
        {"value": [1.0]},
        {"stderr": 0.0},
        {"stderr": 0.0101},
        {"stderr": 1e9},
        {"value": 5.0, "stderr": 1e9},  # a large committed error excuses nothing
        {"systematic": 0.0},
        {"systematic": 0.0031},
        {"systematic": [0.003]},
        {"seed": 8},
        {"seed": None},
        {"method": "by eye"},
        {"test": "tests/test_claims_register.py::test_other"},
    ],
)
@pytest.mark.parametrize("errors", [ERRORS, {"stderr": 0.0, "systematic": 0.003, "seed": 7}])
def test_a_doctored_number_is_seen(trial, change, errors):
    assert disagreement(trial, {}, errors=errors) == []
    assert disagreement(trial, {"value": 1.0 + 9e-7, "systematic": 0.003001}, errors=errors) == []
    if errors["stderr"] == change.get("stderr"):
        change = {"stderr": 0.01}
    assert disagreement(trial, change, errors=errors)
    assert trial.compare({})  # not there at all


@pytest.mark.parametrize(
    ("change", "red"),
    [
        ({"value": 1.0 + 0.0691}, False),  # 4.89 of √2 errors
        ({"value": 1.0 + 0.0693}, True),
        ({"value": 1.0 + 0.0693, "stderr": 1.0}, True),
        ({"stderr": 0.0051}, False),
        ({"stderr": 0.0049}, True),
        ({"stderr": 0.0201}, True),
        ({"systematic": 0.02}, False),
        ({"systematic": 0.08}, True),
        ({"seed": 8}, True),
        ({"method": "by eye"}, True),
    ],
)
def test_another_sample_is_allowed_its_noise(trial, change, red):
    """Rounding that grows makes another sample on another processor, a shift makes one everywhere."""
    assert bool(disagreement(trial, change, errors=ERRORS | {"chaotic": True})) is red
    elsewhere = {name: x for name, x in change.items() if name in ("value", "method")}
    assert bool(disagreement(trial, elsewhere, other_seeds=True)) is (red and bool(elsewhere))
    assert disagreement(trial, {"seed": 8, "stderr": 0.1, "systematic": 0.1}, other_seeds=True) == []


def test_no_sample_excuses_an_exact_number(trial):
    exact = {"stderr": 0.0}
    assert disagreement(trial, {"value": 1.0 + 9e-7}, errors=exact, other_seeds=True) == []
    assert disagreement(trial, {"value": 1.0 + 2e-6}, errors=exact, other_seeds=True)


# A small repository with claims of its own, on which pytest is run

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
        for name in (
            "tests/conftest.py",
            "tests/reseed.py",
            "book/data/register.py",
            "book/data/provenance.py",
        ):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
        self.write(
            "pytest.ini", "[pytest]\npythonpath = .\nmarkers = claims\n  slow\nfilterwarnings = error\n"
        )
        self.write("tests/__init__.py", "")
        self.write("lattice/__init__.py", "from .one import *\nfrom .unused import NOTHING\n")
        self.write("lattice/one.py", '"""One."""\nONE = 1.0\n')
        self.write("lattice/two.py", "TWO = 2.0\n")
        self.write("lattice/unused.py", "NOTHING = 0.0\n")
        self.write("tests/test_x.py", TESTS)
        claims = "".join(CLAIM.format(n=n) for n in (1, 2))
        self.write(
            "book/claims.yml",
            f"sources: {{x: {{authors: X, title: X, cite: x, version: x}}}}\nclaims:{claims}",
        )
        self.measured = root / "book/data/measured.json"

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


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path)


def test_a_killed_recording_goes_on_and_a_finished_one_starts_afresh(repository):
    repository.write("tests/kill", "")
    code, _ = repository.pytest("-m", "claims", "--record")
    assert code == -9
    assert repository.runs() == "12"
    assert list(json.loads(repository.measured.read_text())) == ["x-1/number"]
    (repository.root / "tests/kill").unlink()
    assert repository.pytest("-m", "claims", "--record")[0] == 0
    assert repository.runs() == "2"
    assert list(json.loads(repository.measured.read_text())) == ["x-1/number", "x-2/number"]
    before = repository.measured.read_bytes()
    assert repository.pytest("-m", "claims", "--record")[0] == 0
    assert repository.runs() == "12"
    assert repository.measured.read_bytes() == before


def test_wrong_and_outdated_numbers(repository):
    assert repository.pytest("--record")[0] == 0
    # a comment, a docstring or a module that the tests do not reach outdates nothing
    test = repository.root / "tests/test_x.py"
    before = provenance_in(repository.root).code_hash(test)
    repository.edit("lattice/two.py", "2.0", "2.0  # exactly")
    repository.edit("lattice/unused.py", "0.0", "0.5")
    assert provenance_in(repository.root).code_hash(test) == before
    # other code does, though the number is the same: listed, and green
    repository.edit("lattice/one.py", "1.0", "2.0 / 2")
    code, output = repository.pytest()
    assert code == 0
    assert "out of date" in output
    assert "x-1/number  (tests/test_x.py::test_1)" in output

    # a wrong number in the file, another in the code
    repository.edit("book/data/measured.json", '"value": 1.0', '"value": 1.01')
    repository.edit("lattice/two.py", "2.0", "2.01")
    code, output = repository.pytest()
    assert code == 1
    assert "x-1/number: value in measured.json is 1.01, computed 1.0" in output
    assert "measured 2.01, expected 2.0" in output
    # a failed test writes nothing
    assert repository.pytest("--record")[0] == 1
    measured = json.loads(repository.measured.read_text())
    assert (measured["x-1/number"]["value"], measured["x-2/number"]["value"]) == (1.0, 2.0)


def test_a_claim_test_must_do_its_part(repository):
    assert repository.pytest("--record")[0] == 0
    repository.edit("tests/test_x.py", "claim.agrees(ONE, 1.0)", "assert ONE == 1.0")
    repository.edit("tests/test_x.py", 'record("x-2/number"', '(lambda *args, **options: None)("x-2/number"')
    repository.edit("tests/test_x.py", "def ran", "def test_3(claim):\n    claim.agrees(3, 3)\n\ndef ran")
    code, output = repository.pytest()
    assert code == 1
    assert "a claim test compares with `claim.agrees` or `claim.holds`, this one does not" in output
    assert "x-2/number is recorded in measured.json for this test, which did not record it" in output
    assert "tests/test_x.py::test_3 is not named in book/claims.yml" in output


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("book/claims.yml", "verdict: confirmed", "verdict: true", "x-1: verdict = True; allowed"),
        (
            "tests/test_x.py",
            "def test_1(",
            "@pytest.mark.parametrize('a', [1, 2])\ndef test_1(a, ",
            "parametrised",
        ),
    ],
)
def test_what_stops_every_test(repository, name, old, new, message):
    repository.edit(name, old, new)
    code, output = repository.pytest("--collect-only")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert message in output


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(register, "REGISTER", tmp_path / "claims.yml")
    monkeypatch.setattr(register, "MEASURED", tmp_path / "measured.json")
    assert read_measured() == {}
    (tmp_path / "claims.yml").write_text("claims: [")
    (tmp_path / "measured.json").write_text('{"x-1/number": ')
    with pytest.raises(ValueError, match="is not YAML"):
        read_register()
    with pytest.raises(ValueError, match="is not JSON"):
        read_measured()


# Fingerprints of code


def provenance_in(root):
    """The module under test, loaded as part of another repository."""
    path = root / "book/data/provenance.py"
    spec = importlib.util.spec_from_file_location("provenance_of_another", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("script", "reached"),
    [
        ("import lattice as lk\nlk.ONE", {"one"}),
        ("import lattice as lk\nprint(lk)", {"__init__", "one", "unused"}),
        ("import lattice.two\nlattice.two.TWO", {"two"}),
        ("from lattice import *", {"__init__", "one", "unused"}),
        ("from lattice import two as second\nsecond.TWO", {"two"}),
        ("from lattice import upper\nupper.run(1)", {"upper/runner", "one"}),
        ("def f():\n    from lattice.upper import run", {"upper/runner", "one"}),
        ("from lattice import unknown", {"__init__", "one", "unused"}),
        ("import numpy", set()),
    ],
)
def test_dependencies_follow_names_through_packages(repository, script, reached):
    repository.write("lattice/upper/__init__.py", "from . import runner as _\nfrom .runner import run\n")
    repository.write("lattice/upper/runner.py", "from ..one import ONE\ndef run(x): return ONE\n")
    repository.write("book/data/script.py", script)
    root = repository.root
    found = provenance_in(root).dependencies(root / "book/data/script.py")
    inside = {path.relative_to(root / "lattice") for path in found if path.is_relative_to(root / "lattice")}
    assert inside == {Path(f"{name}.py") for name in reached}


def test_a_fingerprint_changes_with_the_code_only(repository):
    root = repository.root

    def fingerprint(text):
        repository.write("book/data/script.py", text)
        return provenance_in(root).code_hash(root / "book/data/script.py")

    source = 'def f(x):\n    """Twice."""\n    return 2 * x\n'
    same = [
        '# twice\n\ndef f(x):  # x\n    """Two\n\n    times.\n    """\n\n    return 2 * x\n',
        source + "\n",
    ]
    different = [
        source.replace("2", "3"),
        source.replace("2 * x", '"# 2"'),
        source + "from lattice import two\n",
    ]
    assert {fingerprint(text) for text in same} == {fingerprint(source)}
    assert len({fingerprint(text) for text in [source, *different]}) == 4


def test_a_script_outside_is_refused(repository, tmp_path_factory):
    outside = tmp_path_factory.mktemp("elsewhere") / "script.py"
    outside.write_text("")
    with pytest.raises(ValueError, match="allowed: a file inside"):
        provenance_in(repository.root).code_hash(outside)
