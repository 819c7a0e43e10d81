"""Estimates: how they print, and how they are compared."""

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from lattice import Estimate
from lattice import estimate as module

finite = st.floats(-1e100, 1e100)
errors = st.floats(0, 1e100)


@pytest.mark.parametrize(
    ("value", "stderr", "systematic", "plain", "compact"),
    [
        (1 / 3, 0.0012, 0, "0.3333 ± 0.0012", "0.3333(12)"),
        (1 / 3, 0.0012, 0.0005, "0.3333 ± 0.0012 ± 0.0005 (systematic)", "0.3333(12)[5]"),
        (-2.5, 0, 0.1, "-2.50 ± 0.10 (systematic)", "-2.50[10]"),
        (0, 0.0996, 0, "0.00 ± 0.10", "0.00(10)"),
        (-1e-9, 0.5, 0, "0.00 ± 0.50", "0.00(50)"),
        (0.5, 0, 0, "0.5 (exact)", "0.5 (exact)"),
        (math.pi, 0, 0, "3.14159 (exact)", "3.14159 (exact)"),
        (12345.6, 12.3, 0, "12346 ± 12", "12346(12)"),
        (123456, 12, 0, "123456 ± 12", "123456(12)"),
        (1234567, 12, 0, "(1.234567 ± 0.000012) × 10⁶", "1.234567(12) × 10⁶"),
        (1.234e-4, 1e-6, 0, "0.0001234 ± 0.0000010", "0.0001234(10)"),
        (1.234e-5, 1e-7, 0, "(1.234 ± 0.010) × 10⁻⁵", "1.234(10) × 10⁻⁵"),
        (123456, 1200, 0, "(1.235 ± 0.012) × 10⁵", "1.235(12) × 10⁵"),
        (1.23e-9, 4.2e-11, 0, "(1.230 ± 0.042) × 10⁻⁹", "1.230(42) × 10⁻⁹"),
        (3e300, 1e298, 0, "(3.000 ± 0.010) × 10³⁰⁰", "3.000(10) × 10³⁰⁰"),
    ],
)
def test_an_estimate_prints_with_its_error_bar(value, stderr, systematic, plain, compact):
    estimate = Estimate(value, stderr, "by hand", systematic)
    assert str(estimate) == repr(estimate) == f"{estimate}" == plain
    assert f"{estimate:c}" == compact


def test_the_examples_of_the_documentation():
    assert doctest.testmod(module) == doctest.TestResults(failed=0, attempted=3)


def test_digits_of_the_error():
    estimate = Estimate(0.123456, 0.00234, "by hand")
    assert f"{estimate:1}" == "0.123 ± 0.002"
    assert f"{estimate:3c}" == "0.12346(234)"
    for code in ("0", ".2f", "cc", "12"):
        with pytest.raises(ValueError, match=f"format code '{code}'; allowed: digits"):
            format(estimate, code)


def test_an_array_prints_every_error_bar():
    estimate = Estimate([[1, 2], [3, 4]], [[0.1, 0.02], [0, 0.3]], "by hand")
    assert str(estimate) == "[[1.00 ± 0.10, 2.000 ± 0.020],\n [3 (exact), 4.00 ± 0.30]]"
    assert str(Estimate(np.arange(24), 0.5, "by hand")).count("±") == 24
    assert str(Estimate(np.arange(25), 0.5, "by hand")).count("±") == 6


@given(value=finite, error=st.floats(1e-100, 1e100))
def test_the_compact_form_can_be_read_back(value, error):
    """Its rounding is at most half a unit of the last digit shown: a twentieth of the error."""
    number, _, power = f"{Estimate(value, error, 'by hand'):c}".partition(" × 10")
    digits, _, bracket = number.rstrip(")").partition("(")
    exponent = int(power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")) or 0)
    unit = 10.0 ** (exponent - len(digits.partition(".")[2]))
    assert 10 <= int(bracket) <= 99
    assert abs(int(bracket) * unit - error) <= 0.0501 * error
    assert abs(float(f"{digits}e{exponent}") - value) <= 0.0501 * error + 1e-15 * abs(value)


def test_an_estimate_is_immutable():
    values = np.ones(3)
    estimate = Estimate(values, 0.1, "by hand")
    values[0] = 7
    assert estimate.value[0] == 1
    assert_allclose(estimate.stderr, [0.1] * 3)
    with pytest.raises(ValueError, match="read-only"):
        estimate.value[0] = 2
    with pytest.raises(AttributeError):
        estimate.stderr = 0.0


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((math.nan, 1, 0), "value has entries that are not finite: nan; allowed: finite numbers"),
        ((1, math.inf, 0), "stderr has entries that are not finite: inf; allowed: finite numbers"),
        ((1, -0.5, 0), "stderr = -0.5; allowed: not negative"),
        ((1, 1, -2), "systematic = -2; allowed: not negative"),
        ((1e308, 1, 0), r"value = 1e\+308; allowed: at most 1e\+307 in size"),
        ((-1e308, 1, 0), r"value = -1e\+308; allowed: at most 1e\+307 in size"),
        ((1, 1e308, 0), r"stderr = 1e\+308; allowed: not negative, at most 1e\+307 in size"),
        ((True, 1, 0), "value = True; allowed: an array of real numbers"),
        ((1j, 1, 0), "value = 1j; allowed: an array of real numbers"),
        (("1", 1, 0), "value = '1'; allowed: an array of real numbers"),
        ((None, 1, 0), "value = None; allowed: an array of real numbers"),
        (([], 1, 0), r"value has shape \(0,\); allowed: at least one entry"),
        ((1, "1", 0), "stderr = '1'; allowed: an array of real numbers"),
        ((1, [1, 2], 0), r"stderr has shape \(2,\); allowed: that of the value, \(\)"),
        (([1, 2], 1, [1, 2, 3]), r"systematic has shape \(3,\); allowed: that of the value, \(2,\)"),
    ],
)
def test_bad_numbers_are_refused(numbers, message):
    value, stderr, systematic = numbers
    with pytest.raises(ValueError, match=message):
        Estimate(value, stderr, "by hand", systematic)


def test_deviation_is_signed_and_combines_all_errors():
    high, low = Estimate(5, 0.3, "by hand"), Estimate(4, 0.4, "by hand")
    assert_allclose(high.deviation(low), 2)
    assert_allclose(low.deviation(high), -2)
    assert_allclose(high.deviation(4.4), 2)
    assert_allclose(Estimate(5, 0.3, "by hand", systematic=0.4).deviation(4), 2)
    assert isinstance(high.deviation(low), float)


def test_deviation_of_arrays_is_elementwise():
    estimate = Estimate([1.0, 2.0, 3.0], [0.5, 0.0, 0.0], "by hand")
    assert_allclose(estimate.deviation([2.0, 2.0, 4.0]), [-2, 0, -np.inf])
    assert_allclose(estimate.deviation(2.0), [-2, 0, np.inf])
    with pytest.raises(ValueError, match="shape"):
        estimate.deviation([1.0, 2.0])
    for other in (math.nan, "1", True, None, 1j):
        with pytest.raises(ValueError, match=r"other .*allowed"):
            estimate.deviation(other)


def test_deviations_at_the_ends_of_the_floats():
    largest = Estimate([1e307, -1e307], 1e307, "by hand", 1e307)
    assert_allclose(largest.deviation(largest * np.array([-1, -1])), [1, -1])
    smallest = Estimate(5e-324, 5e-324, "by hand")
    assert smallest.deviation(0.0) == 1
    assert Estimate(5e-324, 0, "exact").deviation(0.0) == math.inf
    with pytest.raises(ValueError, match="how = 3; allowed: a string"):
        Estimate(1, 1, 3)


@given(a=finite, b=finite, s=errors, t=errors)
def test_deviation_is_never_nan_and_antisymmetric(a, b, s, t):
    first, second = Estimate(a, s, "by hand"), Estimate(b, t, "by hand")
    deviation = first.deviation(second)
    assert deviation == -second.deviation(first)
    assert np.sign(deviation) == np.sign(a - b) or abs(a - b) < 1e-200 * max(s, t)


def test_exact_numbers_agree_or_differ_infinitely():
    assert Estimate(2, 0, "exact").deviation(2) == 0
    assert Estimate(2, 0, "exact").deviation(3) == -math.inf
    assert Estimate(3, 0, "exact").deviation(Estimate(2, 0, "exact")) == math.inf


def test_scaling():
    estimate = Estimate([1.0, -2.0], [0.1, 0.2], "by hand", 0.05)
    for scaled in (estimate * -3, np.float64(-3) * estimate, -3 * estimate):
        assert_allclose(scaled.value, [-3, 6])
        assert_allclose(scaled.stderr, [0.3, 0.6])
        assert_allclose(scaled.systematic, 0.15)
        assert scaled.how == "by hand"
    assert_allclose((np.array([2, 4]) * estimate).stderr, [0.2, 0.8])
    with pytest.raises(TypeError):
        estimate * estimate  # their errors may be correlated
    for factor in ("2", True, 1j, math.nan, None, [1.0, 2.0, 3.0], 1e307):
        with pytest.raises(ValueError, match=r"factor .*allowed"):
            estimate * factor


def test_differences():
    first = Estimate([5.0, 1.0], [0.3, 0.5], "by hand", 0.03)
    other = Estimate([4.0, 4.0], 0.4, "by eye", [0.04, 0.0])
    found = first - other
    assert_allclose(found.value, [1, -3])
    assert_allclose(found.stderr, [0.5, math.sqrt(0.41)])
    assert_allclose(found.systematic, [0.05, 0.03])
    assert found.how == "by hand less by eye"
    assert_allclose(found.deviation(0), first.deviation(other))
    assert_allclose((first - Estimate(4.0, 0.4, "by eye")).stderr, found.stderr)
    with pytest.raises(TypeError):
        first - 1.0
    with pytest.raises(ValueError, match="shapes"):
        first - Estimate([1.0, 2.0, 3.0], 0.1, "by hand")


def test_entries():
    estimate = Estimate([[1.0, 2.0], [3.0, 4.0]], [[0.1, 0.2], [0.3, 0.4]], "by hand", 0.05)
    assert f"{estimate[1, 0]:c}" == "3.00(30)[5]"
    assert_allclose(estimate[:, 1].value, [2, 4])
    assert_allclose(estimate[0].stderr, [0.1, 0.2])
    assert [entry.value for entry in estimate[1]] == [3, 4]
    with pytest.raises(IndexError):
        estimate[2]
    for use in (lambda one: one[0], list):
        with pytest.raises(TypeError, match="an Estimate of one number has no entries"):
            use(estimate[0, 0])
