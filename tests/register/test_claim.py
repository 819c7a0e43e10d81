"""Comparisons and their failing twins, and numbers that are recorded."""

import json

import numpy as np
import pytest

from book.register import Claim, mismeasured


@pytest.fixture
def trial():
    """A claim of no test in particular."""
    return Claim("tests/register/test_claim.py::test_trial", {"x-1/a"})


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
        {"test": "tests/register/test_claim.py::test_other"},
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
