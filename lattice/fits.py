r"""Power laws on a stated window and limits from a few sizes, with statistical and systematic errors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc

from . import _check
from .estimate import LARGEST, Estimate, Untrusted

__all__ = ["Extrapolation", "PowerLaw", "extrapolate", "power_law"]

FEWEST_POINTS = 4
LEAST_SPAN = 3.0
LEAST_RATIO = (
    2.0  # of the places of an extrapolation, whose limit is then no farther away than they are apart
)
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


def _all_or_none(stderr: NDArray[np.float64]) -> None:
    if np.any(stderr > 0) and np.any(stderr == 0):
        raise ValueError("y has points without an error; allowed: errors on all points or on none")


def _line(u: NDArray, v: NDArray, sigma: NDArray | None) -> tuple[NDArray, NDArray, float]:
    """Slope and intercept of v over u, their errors for unit or given errors of v, and χ²."""
    sigma = np.ones_like(u) if sigma is None else sigma
    unit = sigma.min()
    with np.errstate(all="ignore"):  # of errors that are too different: refused below
        weight = (unit / sigma) ** 2
        middle, height = weight @ u / weight.sum(), weight @ v / weight.sum()
        spread = weight @ (u - middle) ** 2
    if not spread > 1e-200:
        raise ValueError("x has places too close, or y errors too different; allowed: what determines a line")
    slope = weight @ ((u - middle) * (v - height)) / spread
    line = np.array([slope, height - slope * middle])
    errors = unit * np.sqrt([1 / spread, 1 / weight.sum() + middle**2 / spread])
    with np.errstate(over="ignore"):
        return line, errors, float(np.sum(((v - line[0] * u - line[1]) / sigma) ** 2))


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
    value, stderr = y.value, y.stderr
    low, high = _check.bounds("window", window)
    if low <= 0:
        raise ValueError(f"window = {window!r}; allowed: (low, high) with 0 < low < high")
    inside = np.flatnonzero((x >= low) & (x <= high))
    inside = inside[np.argsort(x[inside])]
    x, value, stderr = x[inside], value[inside], stderr[inside]
    points = len(x)
    if points < 3:
        raise ValueError(f"window = {window!r} holds {points} places of x; allowed: at least 3")
    if np.any(value <= 0):
        raise ValueError(f"y has the entry {value.min()} in the window; allowed: positive numbers")
    _all_or_none(stderr)

    u, v = np.log(x), np.log(value)
    with np.errstate(over="ignore"):
        sigma = stderr / value if stderr[0] > 0 else None
    line, errors, scatter = _line(u, v, sigma)
    if sigma is None:
        errors = errors * math.sqrt(scatter / (points - 2))
    half = (points + 1) // 2
    halves = [
        _line(u[part], v[part], None if sigma is None else sigma[part])[0]
        for part in (np.s_[:half], np.s_[-half:])
    ]
    drift = np.abs(np.array(halves) - line).max(axis=0)
    if not abs(line[1]) + math.log1p(errors[1] + drift[1]) < 706:
        raise ValueError(
            f"y is exp({line[1]:.4g} ± {errors[1]:.2g}) times a power of x, beyond the floats; "
            "allowed: places nearer to 1, or smaller errors"
        )
    amplitude = math.exp(line[1])
    how = f"{'un' if sigma is None else ''}weighted power-law fit of {points} points, {low:g} ≤ x ≤ {high:g}"
    result = PowerLaw(
        Estimate(line[0], errors[0], how, drift[0]),
        Estimate(amplitude, amplitude * errors[1], how, amplitude * drift[1]),
        (low, high),
        points,
    )
    doubts = []
    if points < FEWEST_POINTS:
        doubts.append(f"it holds {points} points, {FEWEST_POINTS} are needed")
    if x[0] > x[-1] / LEAST_SPAN * (1 + 1e-12):
        doubts.append(f"its points span a factor {x[-1] / x[0]:.3g}, {LEAST_SPAN:g} is needed")
    if sigma is not None and chdtrc(points - 2, scatter) < IMPLAUSIBLE:
        doubts.append(f"the points scatter too much for their errors, χ² = {scatter:.3g} for {points - 2}")
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


def _solver(u: NDArray, powers: NDArray, sigma: NDArray) -> NDArray[np.float64]:
    """The matrix, shape (1 + powers, points), that takes values at u with these errors to coefficients."""
    design = np.stack([np.ones_like(u), *(u**power for power in powers)], axis=1) / sigma[:, None]
    size = np.sqrt(np.sum(design**2, axis=0))
    if not np.linalg.cond(design / np.where(size > 0, size, 1)) < 1e10:
        raise ValueError(
            "x, y or powers do not tell the coefficients apart; allowed: places and powers farther apart"
        )
    return np.linalg.pinv(design / size) / size[:, None] / sigma


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
    _all_or_none(y.stderr)
    order = np.argsort(x)
    x, value, stderr, systematic = x[order], y.value[order], y.stderr[order], y.systematic[order]
    unit = np.abs(value).max() or 1.0
    value, weighted = value / unit, bool(stderr[0] > 0)
    with np.errstate(all="ignore"):  # of numbers too different, refused by `_solver` or below
        u, sigma = x / x[-1], stderr / stderr.min() if weighted else np.ones(points)
        solver = _solver(u, powers, sigma)
        found = solver @ value
        residual = (
            value - np.stack([np.ones(points), *(u**power for power in powers)], axis=1) @ found
        ) / sigma
        noise = stderr.min() / unit if weighted else math.sqrt(residual @ residual / free)
        chi_square = float(residual @ residual / noise**2) if weighted else 0.0
        errors = noise * np.sqrt((solver * sigma) ** 2 @ np.ones(points))
        fewer = _solver(u[:-1], powers, sigma[:-1]) @ value[:-1]
        beyond = powers[-1] + np.diff(powers, prepend=0.0)[-1]
        more = (_solver(u, np.append(powers, beyond), sigma) @ value)[:-1]
        drift = np.maximum(np.abs(fewer - found), np.abs(more - found))
        drift = np.hypot(drift, np.abs(solver) @ (systematic / unit))
        scale = unit * (x[-1] ** -np.append(0.0, powers))
        parts = [scale * part for part in (found, errors, drift)]
    if not np.isfinite(parts).all() or np.max(np.abs(parts)) > LARGEST:
        raise ValueError(f"y = {_check.shown(y)} has coefficients beyond the floats; allowed: x nearer to 1")
    how = f"{'' if weighted else 'un'}weighted fit of {points} points with powers {powers.tolist()}"
    coefficients = Estimate(parts[0], parts[1], how, parts[2])
    result = Extrapolation(
        Estimate(*(part[0] for part in parts[:2]), how, parts[2][0]), coefficients, powers, points
    )
    doubts = []
    if x[0] > x[-1] / LEAST_RATIO * (1 + 1e-12):
        doubts.append(f"they span a factor {x[-1] / x[0]:.3g}, {LEAST_RATIO:g} is needed")
    if chdtrc(free, chi_square) < IMPLAUSIBLE:
        doubts.append(f"they scatter too much for their errors, χ² = {chi_square:.3g} for {free}")
    if doubts:
        raise Untrusted(f"the points do not support a limit: {'; '.join(doubts)} ({result.limit:c})", result)
    return result
