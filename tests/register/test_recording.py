"""Claim tests at work: numbers are recorded, compared, outdated."""

import json

import pytest


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
    before = repository.code_hash("tests/test_x.py")
    repository.edit("lattice/two.py", "2.0", "2.0  # exactly")
    repository.edit("lattice/unused.py", "0.0", "0.5")
    assert repository.code_hash("tests/test_x.py") == before
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
