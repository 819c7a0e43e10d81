r"""Laws fitted on a stated window, with statistical and systematic errors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc

from . import _check
from .estimate import Estimate, Untrusted

__all__ = ["PowerLaw", "power_law"]

FEWEST_POINTS = 4
LEAST_SPAN = 3.0
IMPLAUSIBLE = 1e-6  # chance of a scatter below which a power law is doubted


@dataclass(frozen=True, eq=False)
class PowerLaw:
    r"""A fitted law :math:`y = A x^s`.

    Attributes
    ----------
    exponent, prefactor : Estimate
        s and A, with statistical and systematic errors.
    window : (float, float)
        The x between which it was fitted, holding so many `points`.
    """

    exponent: Estimate
    prefactor: Estimate
    window: tuple[float, float]
    points: int


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
    x = _check.reals("x", x, ndim=1)
    estimate = y if isinstance(y, Estimate) else Estimate(_check.reals("y", y), 0.0, "given")
    value, stderr = np.asarray(estimate.value), np.asarray(estimate.stderr)
    low, high = _check.bounds("window", window)
    if low <= 0:
        raise ValueError(f"window = {window!r}; allowed: (low, high) with 0 < low < high")
    if x.shape != value.shape:
        raise ValueError(f"x has shape {x.shape} and y {value.shape}; allowed: equal shapes (points,)")
    if len(np.unique(x)) < len(x):
        raise ValueError(f"x = {_check.shown(x)}; allowed: different numbers")
    inside = np.flatnonzero((x >= low) & (x <= high))
    inside = inside[np.argsort(x[inside])]
    x, value, stderr = x[inside], value[inside], stderr[inside]
    points = len(x)
    if points < 3:
        raise ValueError(f"window = {window!r} holds {points} places of x; allowed: at least 3")
    if np.any(value <= 0):
        raise ValueError(f"y has the entry {value.min()} in the window; allowed: positive numbers")
    if np.any(stderr > 0) and np.any(stderr == 0):
        raise ValueError("y has points without an error; allowed: errors on all points or on none")

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
