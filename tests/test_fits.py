"""Power laws and limits: exact ones to round-off, noisy ones by the spread of many."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import linregress

from lattice import Estimate, Untrusted
from lattice.fits import Extrapolation, PowerLaw, extrapolate, power_law


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


@pytest.mark.parametrize("high", [10, 100])
def test_a_bent_law_has_a_systematic_error(high):
    """y = x + x²: the slope in logarithms runs from 1 to 2; the half that differs more tells."""
    x = np.geomspace(0.1, high, 9)
    fit = power_law(x, x + x**2, window=(0.1, high))
    lines = [
        np.polyfit(np.log(x[part]), np.log((x + x**2)[part]), 1) for part in (np.s_[:], np.s_[:5], np.s_[4:])
    ]
    slopes, logs = np.transpose(lines)
    assert_allclose(fit.exponent.value, slopes[0], rtol=1e-12)
    if high == 10:  # by the symmetry x → 1/x
        assert_allclose(fit.exponent.value, 1.5, atol=1e-12)
    assert_allclose(fit.exponent.systematic, np.abs(slopes - slopes[0]).max())
    assert_allclose(fit.prefactor.systematic, np.exp(logs[0]) * np.abs(logs - logs[0]).max())
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
        ([1, 1.5, 2, 2.5, 2.9, 50], (1, 10), "the points span a factor 2.9, 3 is needed"),
    ],
)
def test_a_short_window_is_not_trusted(x, window, message):
    x = np.array(x)
    with pytest.raises(Untrusted, match=message) as caught:
        power_law(x, x**2, window=window)
    assert isinstance(caught.value.result, PowerLaw)
    assert_allclose(caught.value.result.exponent.value, 2)


@pytest.mark.parametrize(
    ("x", "y", "window", "message"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], (0, 4), r"window = \(0, 4\); allowed: \(low, high\) with 0 < low"),
        ([1, 2, 3, 4], [1, 2, 3, 4], (1, math.inf), r"window = \(1, inf\); allowed"),
        ([1, 2, 3, 4], [1, 2, 3, 4], ("1", "4"), r"window = .*; allowed"),
        ([1, 2, 3, 4], [1, 2, 3, 4], 4, r"window = 4; allowed"),
        ([1, 2, 3, 4], [1, 2, 3, 4], (4, 1), r"window = \(4, 1\); allowed"),
        (
            [1, 2, 3, 4],
            [1, 2, 3, 4],
            (2.5, 9),
            r"window = \(2.5, 9\) holds 2 places of x; allowed: at least 3",
        ),
        ([1, 2, 3, 4], [1, 2, 3], (1, 4), r"x has shape \(4,\) and y \(3,\); allowed: equal shapes"),
        ([1, 2, 2, 4], [1, 2, 3, 4], (1, 4), r"x = .*; allowed: different numbers"),
        ([1, 2, math.nan, 4], [1, 2, 3, 4], (1, 4), "x has entries that are not finite"),
        ([1, 2, 3j, 4], [1, 2, 3, 4], (1, 4), r"x = .*; allowed: an array of real numbers"),
        ([1, 2, 3, 4], ["1", "2", "3", "4"], (1, 4), r"y = .*; allowed: an array of real numbers"),
        ([[1, 2, 3, 4]], [[1, 2, 3, 4]], (1, 4), r"x has shape \(1, 4\); allowed: 1 dimension"),
        ([1, 2, 3, 4], 1.0, (1, 4), r"x has shape \(4,\) and y \(\); allowed: equal shapes"),
        ([1, 2, 3, 4], [1, 2, -3, 4], (1, 4), r"y has the entry .*-3.*; allowed: positive"),
        ([1, 2, 3, 4], [1, 2, math.nan, 4], (1, 4), "y has entries that are not finite: .*; allowed: finite"),
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


@pytest.mark.parametrize("scale", [1e-300, 1e-100, 1.0, 1e100, 1e300])
def test_numbers_of_any_size(scale):
    """The same law in other units of y, and of x where it can be said."""
    x = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    y, error = x**1.5 * (1 + 0.01 * np.cos(7 * x)), 0.02 * x**1.5
    unit = power_law(x, Estimate(y, error, "given"), window=(1, 16))
    fit = power_law(x, Estimate(scale * y, scale * error, "given"), window=(1, 16))
    assert_allclose(fit.exponent.value, unit.exponent.value, rtol=1e-12)
    assert_allclose(fit.exponent.stderr, unit.exponent.stderr, rtol=1e-12)
    assert_allclose(fit.prefactor.value, scale * unit.prefactor.value, rtol=1e-12)
    if 1e-200 < scale < 1e200:
        fit = power_law(scale * x, y, window=(0.5 * scale, 17 * scale))
        assert_allclose(fit.exponent.value, power_law(x, y, window=(1, 16)).exponent.value, rtol=1e-12)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (
            np.geomspace(1e100, 3e100, 5),
            np.geomspace(1e300, 1e-300, 5),
            "x = .*, y = .* is beyond the floats",
        ),
        (1e300 * (1 + 2.3e-16 * np.arange(5)), np.ones(5), "x, y or powers do not tell"),
        (
            np.arange(1.0, 6),
            Estimate(np.ones(5), [1e-300, 1, 1, 1, 1], "given"),
            "y = .* is beyond the floats",
        ),
        (np.arange(1.0, 6), Estimate(np.full(5, 1e-300), 1e300, "given"), "y = .* is beyond the floats"),
    ],
)
def test_what_is_no_line_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        power_law(x, y, window=(0.5, 2e300))


def test_weights_by_hand():
    """Against the normal equations; χ² of two degrees of freedom beyond 27.6 has a chance of 1e-6."""
    x, v = np.array([1.0, 3.0, 9.0, 27.0]), np.array([0.0, 1.0, 3.0, 2.5])
    sigma = np.array([0.1, 0.4, 0.2, 0.3])
    design = np.stack([np.log(x), np.ones(4)], axis=1) / sigma[:, None]
    covariance = np.linalg.inv(design.T @ design)
    line = covariance @ design.T @ (v / sigma)
    scatter = np.sum((design @ line - v / sigma) ** 2)
    y = Estimate(np.exp(v), np.exp(v) * sigma, "given")
    for factor, trusted in ((1.001, True), (0.999, False)):
        wide = math.sqrt(scatter / 27.631021) * factor
        stretched = Estimate(y.value, wide * y.stderr, "given")
        if trusted:
            fit = power_law(x, stretched, window=(1, 27))
        else:
            with pytest.raises(Untrusted, match=r"scatter too much for their errors, χ² = 27.7 for 2"):
                power_law(x, stretched, window=(1, 27))
            continue
        assert_allclose(fit.exponent.value, line[0], rtol=1e-12)
        assert_allclose(fit.prefactor.value, math.exp(line[1]), rtol=1e-12)
        assert_allclose(fit.exponent.stderr, wide * math.sqrt(covariance[0, 0]), rtol=1e-12)
        assert_allclose(
            fit.prefactor.stderr, math.exp(line[1]) * wide * math.sqrt(covariance[1, 1]), rtol=1e-12
        )


def test_points_at_the_ends_of_the_window_and_just_enough():
    """Three in the window are an answer not to be trusted, four that span a factor 3 are enough."""
    x = np.array([1.0, 2.0, 2.5, 3.0])
    assert power_law(x, x, window=(1, 3)).points == 4
    with pytest.raises(Untrusted, match=r"the points span a factor 2\.99, 3 is needed"):
        power_law(np.array([1.0, 2.0, 2.5, 2.99]), x, window=(1, 3))
    with pytest.raises(Untrusted, match="it holds 3 points, 4 are needed"):
        power_law(x, x, window=(1.0, 2.9))


# limits


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("powers", [(1,), (1, 2), (0.5, 1, 1.5), (2,)])
def test_an_exact_limit_is_found_to_round_off(powers, weighted):
    x = np.array([0.2, 0.4, 0.05, 0.1, 0.8])
    exact = [3.0, *(-1.0 / (1 + i) for i in range(len(powers)))]
    y = sum(c * x**p for c, p in zip(exact, (0, *powers), strict=True))
    found = extrapolate(x, Estimate(y, 0.01 * y, "given") if weighted else y, powers=powers)
    assert_allclose(found.coefficients.value, exact, rtol=1e-11)
    assert found.limit.value == found.coefficients.value[0]
    assert found.limit.systematic < 1e-12
    assert (found.limit.stderr > 0.01) if weighted else (found.limit.stderr < 1e-12)
    assert (found.powers.tolist(), found.points) == (list(powers), 5)


def test_a_limit_by_hand():
    """Against the normal equations; the systematic error by leaving out 0.4 and by adding x³."""
    x = np.array([0.05, 0.1, 0.2, 0.4])
    y, sigma = np.array([1.0, 1.3, 1.2, 2.0]), np.array([0.3, 0.2, 0.1, 0.4])
    drifts = np.array([0.02, 0.0, 0.01, 0.05])

    def solve(part, powers):
        design = np.stack([x[part] ** p for p in powers], axis=1) / sigma[part, None]
        covariance = np.linalg.inv(design.T @ design)
        return covariance, covariance @ design.T / sigma[part]

    covariance, matrix = solve(np.s_[:], (0, 1))
    line = matrix @ y
    found = extrapolate(x, Estimate(y, sigma, "given", drifts), powers=[1])
    assert_allclose(found.coefficients.value, line, rtol=1e-12)
    assert_allclose(found.coefficients.stderr, np.sqrt(np.diag(covariance)), rtol=1e-12)
    fewer, more = solve(np.s_[:3], (0, 1))[1] @ y[:3], (solve(np.s_[:], (0, 1, 2))[1] @ y)[:2]
    changes = np.maximum(abs(fewer - line), abs(more - line))
    assert_allclose(found.coefficients.systematic, np.hypot(changes, abs(matrix) @ drifts), rtol=1e-12)
    assert "weighted fit of 4 points with powers [1.0]" in found.limit.how


def test_errors_of_a_limit_from_the_scatter_alone():
    x = np.linspace(0.1, 1, 8)
    y = 2 + x + 0.1 * np.random.default_rng(13).standard_normal(8)
    found, line = extrapolate(x, y, powers=[1]).coefficients, linregress(x, y)
    assert_allclose(found.value, [line.intercept, line.slope])
    assert_allclose(found.stderr, [line.intercept_stderr, line.stderr])


def test_a_power_left_out_is_in_the_systematic_error():
    """1 + x + x² with a line alone: the systematic error covers what is wrong with the limit."""
    x = np.array([0.05, 0.1, 0.2, 0.4])
    found = extrapolate(x, Estimate(1 + x + x**2, 0.05, "given"), powers=[1]).limit
    assert abs(found.value - 1) > 0.02
    assert found.stderr < 0.1
    assert abs(found.deviation(1)) < 1
    assert abs(found.value - 1) <= found.systematic * (1 + 1e-9)


def test_coverage_of_the_limit():
    """Of 400 noisy fits the limits spread as their standard errors say, to 25 %: seven of its errors."""
    rng, x = np.random.default_rng(12), np.array([0.05, 0.1, 0.2, 0.4, 0.8])
    fits = [
        extrapolate(x, Estimate(1 + x + 0.02 * rng.standard_normal(5), 0.02, "given"), powers=[1])
        for _ in range(400)
    ]
    limits = np.array([fit.limit.value for fit in fits])
    assert_allclose(limits.std(), fits[0].limit.stderr, rtol=0.25)
    assert abs(limits.mean() - 1) < 6 * limits.std() / 20


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([0.6, 0.7, 0.8, 1], [1, 1, 1, 1], "the points span a factor 1.67, 2 is needed"),
        ([0.1, 0.2, 0.4], Estimate([1, 2, 1], 0.1, "given"), r"the points scatter too much .* χ² = .* for 1"),
    ],
)
def test_a_doubtful_limit_is_not_trusted(x, y, message):
    with pytest.raises(Untrusted, match=message) as caught:
        extrapolate(x, y, powers=[1])
    assert isinstance(caught.value.result, Extrapolation)


@pytest.mark.parametrize(
    ("x", "y", "powers", "message"),
    [
        ([1, 2, 4], [1, 2, 3], [1, 2], "x has 3 places for 2 powers; allowed: at least two more"),
        ([-1, 2, 4], [1, 2, 3], [1], r"x = .*; allowed: positive numbers"),
        ([0, 2, 4], [1, 2, 3], [1], r"x = .*; allowed: positive numbers"),
        ([2, 2, 4], [1, 2, 3], [1], r"x = .*; allowed: different numbers"),
        ([1, 2, 4], [1, 2], [1], r"x has shape \(3,\) and y \(2,\); allowed: equal"),
        ([1, 2, 4], [1, 2, 3], [0], r"powers = .*; allowed: positive ascending"),
        ([1, 2, 4, 8], [1, 2, 3, 4], [2, 1], r"powers = .*; allowed: positive ascending"),
        ([1, 2, 4, 8], [1, 2, 3, 4], [1, 1], r"powers = .*; allowed: positive ascending"),
        ([1, 2, 4], [1, 2, 3], [], r"powers has shape \(0,\); allowed: at least one entry"),
        ([1, 2, 4], [1, 2, 3], 1, r"powers has shape \(\); allowed: 1 dimension"),
        ([1, 2, 4], Estimate([1, 2, 3], [0, 1, 1], "given"), [1], "y has points without an error"),
        ([1, 2, 4, 8], [1, 2, 3, 4], [1, 1 + 1e-13], "x, y or powers do not tell the coefficients apart"),
        (1e-300 * np.array([1, 2, 4]), [1, 2, 3], [2], "x = .*, y = .* is beyond the floats"),
    ],
)
def test_bad_extrapolations_are_refused(x, y, powers, message):
    with pytest.raises(ValueError, match=message):
        extrapolate(x, y, powers=powers)


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150, 1e300])
def test_limits_of_any_size(scale):
    x, y = np.array([0.1, 0.2, 0.4, 0.8]), np.array([1.0, 1.2, 1.1, 1.6])
    unit = extrapolate(x, Estimate(y, 0.3, "given"), powers=[1]).limit
    found = extrapolate(x, Estimate(scale * y, scale * 0.3, "given"), powers=[1]).limit
    for name in ("value", "stderr", "systematic"):
        assert_allclose(getattr(found, name), scale * getattr(unit, name), rtol=1e-12)
