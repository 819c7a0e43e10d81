r"""Power laws on a stated window and limits from a few sizes, with statistical and systematic errors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc

from . import _check
from .estimate import Estimate, Untrusted

__all__ = ["Extrapolation", "PowerLaw", "extrapolate", "power_law"]

FEWEST_POINTS = 4
LEAST_SPAN = 3.0
LEAST_RATIO = 2.0  # of the places of an extrapolation: the limit is then no farther away than they are apart
IMPLAUSIBLE = 1e-6  # chance of a scatter below which a power law is doubted


@dataclass(frozen=True, eq=False)
class PowerLaw:
    r"""A fitted law :math:`y = A x^s`.

    Attributes
    ----------
    exponent, prefactor : Estimate
        s and A, with statistical and systematic errors.
    window : (float, float)
        The x between which it was fitted.
    points : int
        How many lie between them.
    """

    exponent: Estimate
    prefactor: Estimate
    window: tuple[float, float]
    points: int


def _points(x: ArrayLike, y: Estimate | ArrayLike) -> tuple[NDArray[np.float64], Estimate]:
    """Different places and values of the same shape (points,), checked."""
    x = _check.reals("x", x, ndim=1)
    y = y if isinstance(y, Estimate) else Estimate(_check.reals("y", y), 0.0, "given")
    if x.shape != np.shape(y.value):
        raise ValueError(f"x has shape {x.shape} and y {np.shape(y.value)}; allowed: equal shapes (points,)")
    if len(np.unique(x)) < len(x):
        raise ValueError(f"x = {_check.shown(x)}; allowed: different numbers")
    return x, y


def _least_squares(
    design: NDArray[np.float64], value: NDArray[np.float64], stderr: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float, NDArray[np.float64]]:
    """Fit values, whose errors weigh them, or tell by their scatter how large they are if all are 0.

    Returns the coefficients, their errors, χ² (0 without given errors) and the matrix, shape (coefficients,
    points), that takes values to coefficients.
    """
    weighted = bool(np.all(stderr > 0))
    if not weighted and np.any(stderr > 0):
        raise ValueError("y has points without an error; allowed: errors on all points or on none")
    sigma = stderr if weighted else np.ones(len(value))
    rows = design / sigma[:, None]
    size = np.linalg.norm(rows, axis=0)
    if not np.linalg.cond(rows / size) < 1e10:
        raise ValueError(
            "x, y or powers do not tell the coefficients apart; allowed: places and powers farther apart, "
            "errors more alike"
        )
    matrix = np.linalg.pinv(rows / size) / size[:, None] / sigma
    found = matrix @ value
    scatter = float(np.sum(((value - design @ found) / sigma) ** 2))
    errors = np.sqrt(np.sum((matrix * sigma) ** 2, axis=1))
    if weighted:
        return found, errors, scatter, matrix
    free = max(1, len(value) - len(found))  # of as many points as coefficients the scatter is 0
    return found, errors * math.sqrt(scatter / free), 0.0, matrix


def _weighted(stderr: NDArray[np.float64]) -> str:
    return "weighted" if stderr[0] > 0 else "unweighted"


def _doubts(x: NDArray[np.float64], ratio: float, chi_square: float, free: int) -> list[str]:
    """What speaks against a fit at these places, in ascending order."""
    doubts = []
    if x[0] > x[-1] / ratio * (1 + 1e-12):
        doubts.append(f"the points span a factor {x[-1] / x[0]:.3g}, {ratio:g} is needed")
    if chdtrc(free, chi_square) < IMPLAUSIBLE:
        doubts.append(f"the points scatter too much for their errors, χ² = {chi_square:.3g} for {free}")
    return doubts


@_check.finite
def power_law(x: ArrayLike, y: Estimate | ArrayLike, *, window: tuple[float, float]) -> PowerLaw:
    r"""Fit :math:`y = A x^s` on a stated window, a straight line in logarithms.

    Parameters
    ----------
    x : (points,) array
        Positive places, all different.
    y : Estimate or (points,) array
        Positive values.  Independent standard errors weigh the points; without
        them all weigh the same and the errors come from the scatter.
    window : (low, high)
        Ends included.

    Returns
    -------
    PowerLaw
        The systematic error is the largest change when either half of the
        points is left out; noise contributes to it, so it errs on the safe side.

    Raises
    ------
    ValueError
        If a number is not allowed, shapes differ, only some points in the
        window have errors, or it holds fewer than 3.
    Untrusted
        If the window holds fewer than 4 points or spans less than a factor 3,
        or if the points scatter about the line by more than their errors allow.
    """
    x, y = _points(x, y)
    low, high = _check.bounds("window", window)
    if low <= 0:
        raise ValueError(f"window = {window!r}; allowed: (low, high) with 0 < low < high")
    inside = np.flatnonzero((x >= low) & (x <= high))
    inside = inside[np.argsort(x[inside])]
    x, value, stderr = x[inside], y.value[inside], y.stderr[inside]
    points = len(x)
    if points < 3:
        raise ValueError(f"window = {window!r} holds {points} places of x; allowed: at least 3")
    if np.any(value <= 0):
        raise ValueError(f"y has the entry {value.min()} in the window; allowed: positive numbers")
    design, logs, errors = np.stack([np.log(x), np.ones(points)], axis=1), np.log(value), stderr / value
    line, line_errors, chi_square, _ = _least_squares(design, logs, errors)
    half = (points + 1) // 2
    halves = [
        _least_squares(design[part], logs[part], errors[part])[0] for part in (np.s_[:half], np.s_[-half:])
    ]
    drift = np.abs(np.array(halves) - line).max(axis=0)
    amplitude = np.exp(line[1])
    how = f"{_weighted(stderr)} power-law fit of {points} points, {low:g} ≤ x ≤ {high:g}"
    result = PowerLaw(
        Estimate(line[0], line_errors[0], how, drift[0]),
        Estimate(amplitude, amplitude * line_errors[1], how, amplitude * drift[1]),
        (low, high),
        points,
    )
    doubts = _doubts(x, LEAST_SPAN, chi_square, points - 2)
    if points < FEWEST_POINTS:
        doubts.append(f"it holds {points} points, {FEWEST_POINTS} are needed")
    if doubts:
        message = f"window {window!r} does not support a power law: {'; '.join(doubts)}"
        raise Untrusted(f"{message} (exponent {result.exponent:c})", result)
    return result


@dataclass(frozen=True, eq=False)
class Extrapolation:
    r"""A fitted law :math:`y = c_0 + \sum_i c_i x^{p_i}` near x = 0.

    Attributes
    ----------
    limit : Estimate
        :math:`c_0`, with statistical and systematic error.
    coefficients : Estimate
        All of them, :math:`c_0` first, shape (1 + powers,); their errors are correlated.
    powers : (powers,) array
        :math:`p_1 < p_2 < \dots`
    points : int
        How many were fitted.
    """

    limit: Estimate
    coefficients: Estimate
    powers: NDArray[np.float64]
    points: int


@_check.finite
def extrapolate(x: ArrayLike, y: Estimate | ArrayLike, *, powers: ArrayLike) -> Extrapolation:
    r"""Fit :math:`y = c_0 + \sum_i c_i x^{p_i}` and say what remains of y as x goes to 0.

    Parameters
    ----------
    x : (points,) array
        Positive places, all different: steps, couplings, 1/n.
    y : Estimate or (points,) array
        Independent standard errors weigh the points; without them all weigh the same and the errors come
        from the scatter.  Systematic errors of the points are taken to add up with any signs.
    powers : (powers,) array
        The exponents :math:`p_i` of the corrections, positive and ascending.

    Returns
    -------
    Extrapolation
        The systematic error is the larger change when the point with the largest x is left out, or the next
        power is added (as far beyond the last as that is beyond the one before, or 0), and in quadrature
        what the systematic errors of the points make.  Noise contributes to it: it errs on the safe side.

    Raises
    ------
    ValueError
        If a number is not allowed, shapes differ, only some have errors, they are not at least two more
        than the powers, or places and powers are too close to tell the coefficients apart.
    Untrusted
        If the largest x is less than twice the smallest, or if the points scatter about the fit by
        more than their errors allow.
    """
    x, y = _points(x, y)
    powers = _check.reals("powers", powers, ndim=1)
    if not (x > 0).all():
        raise ValueError(f"x = {_check.shown(x)}; allowed: positive numbers")
    if not (np.diff(powers, prepend=0.0) > 0).all():
        raise ValueError(f"powers = {_check.shown(powers)}; allowed: positive ascending numbers")
    points, free = len(x), len(x) - 1 - len(powers)
    if free < 1:
        raise ValueError(f"x has {points} places for {len(powers)} powers; allowed: at least two more")
    order, longest, largest = np.argsort(x), x.max(), np.abs(y.value).max() or 1.0
    u = x[order] / longest
    value, stderr, systematic = (part[order] / largest for part in (y.value, y.stderr, y.systematic))

    def fitted(part: slice, powers: NDArray[np.float64]) -> tuple:
        return _least_squares(u[part, None] ** np.append(0.0, powers), value[part], stderr[part])

    found, errors, chi_square, matrix = fitted(np.s_[:], powers)
    fewer = fitted(np.s_[:-1], powers)[0]
    beyond = powers[-1] + np.diff(powers, prepend=0.0)[-1]
    more = fitted(np.s_[:], np.append(powers, beyond))[0][:-1]
    drift = np.maximum(np.abs(fewer - found), np.abs(more - found))
    drift = np.hypot(drift, np.abs(matrix) @ systematic)
    scale = largest * longest ** -np.append(0.0, powers)
    how = f"{_weighted(stderr)} fit of {points} points with powers {powers.tolist()}"
    coefficients = Estimate(found * scale, errors * scale, how, drift * scale)
    limit = Estimate(coefficients.value[0], coefficients.stderr[0], how, coefficients.systematic[0])
    result = Extrapolation(limit, coefficients, powers, points)
    if doubts := _doubts(u, LEAST_RATIO, chi_square, free):
        raise Untrusted(f"the points do not support a limit: {'; '.join(doubts)} ({result.limit:c})", result)
    return result
