"""Estimates and error bars.

Statistical tests are calibrated: six standard errors of a normal quantity are a
false alarm in 2e-9 of all seeds, and each test says what it would detect.
"""

import doctest
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.signal import lfilter
from scipy.stats import binom, linregress

from lattice import stats
from lattice.stats import Estimate, Untrusted, autocorrelation_time, blocking, jackknife, mean, power_law

finite = st.floats(-1e100, 1e100)
errors = st.floats(0, 1e100)


def autoregressive(rho, n, seed, series=1):
    """Stationary AR(1) series of variance 1, shape (n, series)."""
    noise = np.random.default_rng(seed).standard_normal((n, series))
    noise[0] /= math.sqrt(1 - rho**2)
    return lfilter([math.sqrt(1 - rho**2)], [1, -rho], noise, axis=0)


# Estimate


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
    assert doctest.testmod(stats) == doctest.TestResults(failed=0, attempted=3)


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
    assert str(Estimate(np.arange(1000), 0.5, "by hand")).count("±") < 25


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
        ((math.nan, 1, 0), "value = nan; allowed: finite numbers"),
        ((1, math.inf, 0), "stderr = inf; allowed: finite numbers, not negative"),
        ((1, -0.5, 0), "stderr = -0.5; allowed: finite numbers, not negative"),
        ((1, 1, -2), "systematic = -2; allowed: finite numbers, not negative"),
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
    with pytest.raises(ValueError, match="value = nan"):
        estimate.deviation(math.nan)


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


# independent samples


def test_mean_of_known_samples():
    estimate = mean([1.0, 2.0, 3.0, 6.0])
    assert_allclose(estimate.value, 3)
    assert_allclose(estimate.stderr, math.sqrt(14 / 3 / 4))
    assert estimate.how == "mean of 4 independent samples"
    table = np.arange(12.0).reshape(3, 4) ** 2
    assert_allclose(mean(table).stderr, [mean(column).stderr for column in table.T])
    assert_allclose(mean(table, axis=1).value, table.mean(axis=1))


@pytest.mark.parametrize("function", [mean, lambda samples: jackknife(np.mean, samples)])
def test_one_sample_has_no_error_bar(function):
    with pytest.raises(ValueError, match="samples has 1 entries; allowed: at least 2"):
        function([1.0])
    with pytest.raises(ValueError, match="samples has entries that are not finite"):
        function([1.0, math.nan, 2.0])


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12))
def test_jackknife_of_the_mean_is_its_standard_error(samples):
    exact, found = mean(samples), jackknife(np.mean, samples)
    assert_allclose(found.value, exact.value, atol=1e-9)
    assert_allclose(found.stderr, exact.stderr, atol=1e-9)


def test_jackknife_takes_the_bias_off_the_variance():
    samples = np.random.default_rng(1).standard_normal((12, 5))
    found = jackknife(lambda s: s.var(axis=0), samples)
    assert_allclose(found.value, samples.var(axis=0, ddof=1))
    # the square of a mean overshoots by its variance
    square = jackknife(lambda s: s.mean(axis=0) ** 2, samples)
    assert_allclose(square.value, samples.mean(axis=0) ** 2 - samples.var(axis=0, ddof=1) / 12)


def test_jackknife_in_blocks():
    samples = np.random.default_rng(2).standard_normal((3, 12))
    found = jackknife(lambda s: s.mean(axis=0), samples, blocks=4, axis=1)
    exact = mean(samples.reshape(3, 4, 3).mean(axis=2), axis=1)
    assert_allclose(found.value, exact.value)
    assert_allclose(found.stderr, exact.stderr)
    for blocks in (1, 5, 13, 2.5):
        with pytest.raises(ValueError, match=f"blocks = {blocks}; allowed: a divisor of 12, at least 2"):
            jackknife(np.mean, samples, blocks=blocks, axis=1)


def test_coverage_of_the_mean():
    """Of 4000 means of 100 samples as many lie within 2 errors as Student's law says (95.2 %).

    False alarm 1e-6; an error bar wrong by 5 % would be noticed.
    """
    samples = np.random.default_rng(3).standard_normal((100, 4000))

    def is_covered(estimate):
        hits = np.count_nonzero(np.abs(estimate.deviation(0)) < 2)
        low, high = binom.ppf([5e-7, 1 - 5e-7], 4000, 0.9518)
        return low <= hits <= high

    assert is_covered(mean(samples))
    honest = mean(samples)
    assert not is_covered(Estimate(honest.value, honest.stderr * 0.9, "too small"))
    assert not is_covered(Estimate(honest.value, honest.stderr * 1.1, "too large"))


# correlated series


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, -0.5])
def test_autocorrelation_time_of_an_autoregressive_series(rho):
    """Against (1 + ρ)/(1 - ρ), six standard errors; the error is 4 % at ρ = 0.9.

    A τ without its factor 2, or of the neighbouring ρ, would be noticed.
    """
    exact = (1 + rho) / (1 - rho)
    found = autocorrelation_time(autoregressive(rho, 2**17, seed=4)[:, 0])
    assert abs(found.deviation(exact)) < 6
    assert found.stderr < 0.05 * exact
    for wrong in (exact / 2, 2 * exact, (1 + exact) / 2 if rho else 1.5):
        assert abs(found.deviation(wrong)) > 6


@pytest.mark.parametrize("rho", [0.0, 0.8, -0.5])
def test_error_of_the_autocorrelation_time(rho):
    """Among 300 series it is the spread of τ: its chi-square error is 4 %, the bound 6 of those."""
    found = autocorrelation_time(autoregressive(rho, 2**12, seed=5, series=300))
    assert found.value.shape == (300,)
    assert_allclose(found.stderr.mean(), found.value.std(), rtol=0.25)
    assert abs(found.value.mean() - (1 + rho) / (1 - rho)) < 6 * found.value.std() / math.sqrt(300)


def test_an_oscillating_series_is_not_cut_in_its_first_period():
    """An AR(2) series with a damped cosine for its correlations; exact τ from its spectrum.

    Six standard errors; cut where they first turn negative τ would be four times as large.
    """
    radius, turn = 0.95, 2 * math.pi / 16
    a, b = 2 * radius * math.cos(turn), -(radius**2)
    rho = [1.0, a / (1 - b)]
    while len(rho) < 2000:
        rho.append(a * rho[-1] + b * rho[-2])
    exact = 2 * math.fsum(rho) - 1
    noise = np.random.default_rng(6).standard_normal(2**17)
    found = autocorrelation_time(lfilter([1], [1, -a, -b], noise)[1000:])
    assert abs(found.deviation(exact)) < 6
    assert abs(found.deviation(2 * sum(rho[:5]) - 1)) > 30


def test_blocking_has_the_error_of_a_correlated_mean():
    """The error of AR(1) means is √(τ/n): over 200 series to 3 %, bias included.

    An error that ignores the correlations is a third of it.
    """
    rho, n = 0.8, 2**13
    series = autoregressive(rho, n, seed=7, series=200)
    found = blocking(series)
    exact = math.sqrt((1 + rho) / (1 - rho) / n)
    assert_allclose(found.value, series.mean(axis=0))
    assert_allclose(np.sqrt(np.mean(found.stderr**2)), exact, rtol=0.08)
    assert mean(series).stderr.mean() < exact / 2.5
    assert abs(found.deviation(0)).max() < 8  # few blocks make wide tails
    assert "blocks of" in found.how


def test_blocking_of_white_noise_and_of_a_constant():
    noise = np.random.default_rng(8).standard_normal((3, 4096))
    assert_allclose(blocking(noise, axis=1).stderr, mean(noise, axis=1).stderr, rtol=0.3)
    constant = blocking(np.full(100, 0.1))
    assert_allclose(constant.value, 0.1)
    assert constant.stderr < 1e-15


def test_blocking_in_pairs_by_hand():
    """Values repeated 16 times over: the plateau is 16 times the square of the naive error."""
    noise = np.random.default_rng(9).standard_normal(1024)
    found = blocking(np.repeat(noise, 16))
    assert "blocks of 256" in found.how  # b³ > 2n·16² for the first time
    assert_allclose(found.stderr, mean(noise.reshape(-1, 16).mean(axis=1)).stderr)


@pytest.mark.parametrize("function", [blocking, autocorrelation_time])
def test_a_short_series_is_not_trusted(function):
    walk = np.cumsum(np.random.default_rng(10).standard_normal(1000))
    with pytest.raises(Untrusted, match="series of 1000 values is too short") as caught:
        function(walk)
    assert isinstance(caught.value.result, Estimate)
    assert f"{caught.value.result:c}" in str(caught.value)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.result.value == caught.value.result.value
    both = np.stack([np.random.default_rng(11).standard_normal(1000), walk], axis=1)
    with pytest.raises(Untrusted):
        function(both)
    assert function(both[:, :1]).value.shape == (1,)


@pytest.mark.parametrize("function", [blocking, autocorrelation_time])
def test_bad_series_are_refused(function):
    with pytest.raises(ValueError, match="series has 15 entries; allowed: at least 16"):
        function(np.arange(15.0))
    with pytest.raises(ValueError, match="series has entries that are not finite"):
        function(np.full(100, math.inf))


def test_a_constant_has_no_autocorrelation_time():
    with pytest.raises(ValueError, match="series is constant; allowed: a series that varies"):
        autocorrelation_time(np.ones(100))


# power laws


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("exponent", [-1.5, 0.0, 2 / 3])
def test_an_exact_power_law_is_found_to_round_off(exponent, weighted):
    x = np.geomspace(1, 100, 9)[::-1]
    y = 3 * x**exponent
    fit = power_law(x, Estimate(y, 0.01 * y, "given") if weighted else y, window=(1, 100))
    assert_allclose(fit.exponent.value, exponent, atol=1e-13)
    assert_allclose(fit.prefactor.value, 3, rtol=1e-13)
    assert fit.exponent.systematic < 1e-13
    assert (fit.window, fit.points) == ((1, 100), 9)
    if weighted:  # equal weights: σ²(s) = σ²/Σ(u - ū)², and σ²(log A) = σ² mean(u²)/Σ(u - ū)²
        u = np.log(x)
        spread = 0.01 / math.sqrt(np.sum((u - u.mean()) ** 2))
        assert_allclose(fit.exponent.stderr, spread)
        assert_allclose(fit.prefactor.stderr, 3 * spread * math.sqrt(np.mean(u**2)))
    else:
        assert fit.exponent.stderr < 1e-13


def test_only_the_window_counts():
    x = np.arange(1.0, 21)
    y = np.where(x <= 10, x**2, 7.0)
    fit = power_law(x, y, window=(1, 10))
    assert fit.points == 10
    assert_allclose(fit.exponent.value, 2)
    assert "10 points, 1 ≤ x ≤ 10" in fit.exponent.how
    assert power_law(x, y, window=(1, 20)).exponent.deviation(2) < 0


def test_a_bent_law_has_a_systematic_error():
    """y = x + x²: the slope in logarithms runs from 1 to 2, the two halves tell."""
    x = np.geomspace(0.1, 10, 9)
    fit = power_law(x, x + x**2, window=(0.1, 10))
    slopes = [np.polyfit(np.log(x[part]), np.log((x + x**2)[part]), 1)[0] for part in (np.s_[:5], np.s_[4:])]
    assert_allclose(fit.exponent.value, 1.5, atol=1e-12)  # by the symmetry x → 1/x
    assert_allclose(fit.exponent.systematic, max(abs(np.array(slopes) - 1.5)))
    assert fit.exponent.systematic > 0.2


def test_weights_follow_the_errors():
    x = np.array([1.0, 2, 4, 8, 16])
    y = x**-1.0
    y[2] *= 2
    stderr = 0.01 * y
    stderr[2] = 100 * y[2]
    assert_allclose(power_law(x, Estimate(y, stderr, "given"), window=(1, 16)).exponent.value, -1, atol=1e-7)
    # four good points carry the fit; a wrong sign of the weights would be off by far more
    with pytest.raises(Untrusted, match="scatter too much for their errors"):
        power_law(x, Estimate(y, 0.01 * y, "given"), window=(1, 16))


def test_errors_from_the_scatter_alone():
    x = np.geomspace(1, 30, 6)
    y = 2 / x * np.exp(0.1 * np.random.default_rng(13).standard_normal(6))
    fit, line = power_law(x, y, window=(1, 31)), linregress(np.log(x), np.log(y))
    assert_allclose(fit.exponent.value, line.slope)
    assert_allclose(fit.exponent.stderr, line.stderr)
    assert_allclose(fit.prefactor.stderr, math.exp(line.intercept) * line.intercept_stderr)


def test_coverage_of_the_exponent():
    """Of 400 noisy fits the exponents spread as their standard errors say.

    The chi-square error of the spread is 3.5 %, the bound 25 % seven of those.
    """
    rng = np.random.default_rng(12)
    x = np.geomspace(1, 30, 8)
    fits = [
        power_law(x, Estimate(x * (1 + 0.02 * rng.standard_normal(8)), 0.02 * x, "given"), window=(1, 30))
        for _ in range(400)
    ]
    exponents = np.array([fit.exponent.value for fit in fits])
    assert_allclose(exponents.std(), fits[0].exponent.stderr, rtol=0.25)
    assert abs(exponents.mean() - 1) < 6 * exponents.std() / 20 + 0.02**2


@pytest.mark.parametrize(
    ("x", "window", "message"),
    [
        ([1, 4, 16], (1, 16), "it holds 3 points, 4 are needed"),
        ([1, 1.5, 2, 2.5, 2.9, 50], (1, 10), "its points span a factor 2.9, 3 is needed"),
    ],
)
def test_a_short_window_is_not_trusted(x, window, message):
    x = np.array(x)
    with pytest.raises(Untrusted, match=message) as caught:
        power_law(x, x**2, window=window)
    assert isinstance(caught.value.result, stats.PowerLaw)
    assert_allclose(caught.value.result.exponent.value, 2)


@pytest.mark.parametrize(
    ("x", "y", "window", "message"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], (0, 4), r"window = \(0, 4\); allowed: \(low, high\) with 0 < low"),
        ([1, 2, 3, 4], [1, 2, 3, 4], (4, 1), r"window = \(4, 1\); allowed"),
        ([1, 2, 3, 4], [1, 2, 3, 4], (2.5, 9), r"window = \(2.5, 9\) holds 2 points; allowed: at least 3"),
        ([1, 2, 3, 4], [1, 2, 3], (1, 4), r"x has shape \(4,\) and y \(3,\); allowed: equal shapes"),
        ([1, 2, 2, 4], [1, 2, 3, 4], (1, 4), "x has entries that are equal or not finite"),
        ([1, 2, math.nan, 4], [1, 2, 3, 4], (1, 4), "x has entries that are equal or not finite"),
        ([1, 2, 3, 4], [1, 2, -3, 4], (1, 4), r"y has the entry .*-3.*; allowed: positive"),
        ([1, 2, 3, 4], [1, 2, math.nan, 4], (1, 4), "value = .*nan.*; allowed: finite"),
        (
            [1, 2, 3, 4],
            Estimate([1, 2, 3, 4], [0, 1, 1, 1], "given"),
            (1, 4),
            "y has points without an error; allowed: errors on all points or on none",
        ),
    ],
)
def test_bad_fits_are_refused(x, y, window, message):
    with pytest.raises(ValueError, match=message):
        power_law(x, y, window=window)
