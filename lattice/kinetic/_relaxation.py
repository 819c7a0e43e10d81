"""How a `Collision` runs on in time."""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

GAMMA = 1 - np.sqrt(0.5)  # of the L-stable method of two stages
NEWTON = 30  # steps at most
CLOSE = 1e-11  # relative change of y in the last of them
ROUNDING = 1e-15  # of an n
TOLD = 1e-6  # of an n: so much closer it is known from y
SHORTER = 0.1  # a move beside the one before, if the matrix still serves
MOST_STEPS = 20_000
MOST_COLLISIONS = 1e7  # of a linear one: so many leave eight digits of the slowest rates


def modes(collision) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rates, ascending and not positive, and eigenvectors of linear collisions, for √m n."""
    half = np.full(len(collision.measure), 0.5)
    root = np.sqrt(collision.measure)
    matrix = collision.jacobian(half) * root[:, None] / root
    rates, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return np.minimum(rates, 0), vectors


def within(collision, name: str, longest: float) -> None:
    """Refuse a time after which no digit of the slowest rates would be left."""
    fastest = -collision._modes[0][0]
    if fastest * longest > MOST_COLLISIONS:
        raise ValueError(
            f"{name} = {longest:g} at a rate of up to {fastest:.3g}; allowed: a product of at most "
            f"{MOST_COLLISIONS:.0e}"
        )


def linear(collision, n: NDArray, times: NDArray) -> NDArray[np.float64]:
    """By eigenvectors."""
    within(collision, "times", times[-1])
    (rates, vectors), root = collision._modes, np.sqrt(collision.measure)
    return ((root * n) @ vectors * np.exp(times[:, None] * rates)) @ vectors.T / root


def propagator(collision, time: float) -> NDArray[np.float64]:
    """The matrix that takes occupations, as a row, through a time: not negative, and it keeps Σ m n."""
    (rates, vectors), root = collision._modes, np.sqrt(collision.measure)
    found = (vectors * np.exp(time * rates)) @ vectors.T * root[:, None] / root
    found = np.maximum(found, 0)  # below 0 by rounding alone
    return found * (collision.measure / (found @ collision.measure))[:, None]


def _factors(collision, n: NDArray, y: NDArray, step: float) -> tuple | None:
    """What solves with the derivative of a stage's equations by y: factors of the matrix, and its scales.

    The y of waves differ by as many decades as their n: without a scale of the columns pivots would be taken
    for their units.
    """
    matrix = np.diag(collision.measure / collision._stiffness(n)) + step * collision._slopes(y, False)
    unit = y if collision.statistics == "rayleigh-jeans" else np.ones(len(y))
    matrix *= unit
    scale = 1 / np.abs(np.diag(matrix))
    matrix *= scale[:, None]
    if not np.isfinite(matrix).all():
        return None
    lu, pivots, info = scipy.linalg.lapack.dgetrf(matrix)
    return None if info else (lu, pivots, scale, unit)


def _move(collision, factors: tuple, y: NDArray, miss: NDArray) -> tuple[NDArray, float, float]:
    """A move of y, how much of it is safe, and its size: below 1 it is the last."""
    bounded = collision.statistics in ("rayleigh-jeans", "bose-einstein")
    lu, pivots, scale, unit = factors
    move, share = unit * scipy.linalg.lapack.dgetrs(lu, pivots, miss * scale)[0], 1.0
    if bounded:  # stay where y > 0
        share = min(share, 0.9 / max(np.max(-move / y), 0.9))
    if collision.statistics != "rayleigh-jeans":
        share = min(share, 8 / max(np.abs(move).max(), 1e-300))
    close = CLOSE * np.maximum(np.abs(y), 1e-300 if bounded else 1e-2)
    if collision.statistics == "fermi-dirac":  # n tells y of almost full nodes no better
        close = close + ROUNDING * (1 + np.exp(-y))
    return move, share, (np.abs(move) / close).max()


@np.errstate(all="ignore")  # a step that leaves the floats is tried again, shorter
def _stage(collision, base: NDArray, step: float, y: NDArray, factors: tuple | None) -> tuple | None:
    """The y with m (n(y) - base) = step · change(y), its change, and factors, by Newton's method, or None.

    To assemble a matrix costs ten times as much as a change: the factors of one are kept, also for the next
    stage, as long as each move is much shorter than the one before.
    """
    last = np.inf
    for _ in range(NEWTON):
        n, change = collision._occupation(y), collision._change(y)
        miss = collision.measure * (n - base) - step * change
        move, share, size = _move(collision, factors, y, miss) if factors else (y, 0.0, np.inf)
        if share < 1 or not size < SHORTER * last:
            factors = _factors(collision, n, y, step)
            if not factors:
                return None
            move, share, size = _move(collision, factors, y, miss)
        if not np.isfinite(size):
            return None
        y, last = y + share * move, size
        if share == 1 and size < 1:
            return y, collision._change(y), factors
    return None


def _after(collision, n: NDArray, gain: NDArray, y: NDArray) -> NDArray[np.float64]:
    """n + gain, which keeps the invariants; or what y tells, where the sum has lost its digits."""
    new, told = n + gain, collision._occupation(y)
    return np.where(np.abs(new - told) > TOLD * told, told, new)


def _step(collision, n: NDArray, y: NDArray, step: float) -> tuple | None:
    """How far a step leads, the n and y there, and its error; None if there is no way.

    The first stage is a step of the implicit Euler method, which always has a solution.  The second has
    none if what it starts from is negative, where a node empties fast; then the first has to do.
    """
    m, short = collision.measure, GAMMA * step
    first = _stage(collision, n, short, y, None)
    if not first:
        return None
    base = n + (1 - GAMMA) * step * first[1] / m
    second = _stage(collision, base, short, first[0], first[2])
    if second:
        gain = step * ((1 - GAMMA) * first[1] + GAMMA * second[1]) / m
        return step, _after(collision, n, gain, second[0]), second[0], short * (second[1] - first[1]) / m
    if (base > 0).all():
        return None
    new = _after(collision, n, short * first[1] / m, first[0])
    return short, new, first[0], short * (first[1] - collision._change(y)) / m / 2


def march(collision, n: NDArray, times: NDArray, rtol: float, atol: float) -> NDArray[np.float64]:
    """A singly diagonally implicit method of second order in y, with steps as they are needed."""
    out = np.empty((times.size, n.size))
    time, y, tries = 0.0, collision._potential(n), 0
    fastest = np.max(np.abs(collision._change(y)) / collision.measure / (n + n.mean()))
    h = 1e-3 / max(float(fastest), 1e-300)
    for i, goal in enumerate(times):
        while time < goal * (1 - 1e-13):
            h, tries = min(h, goal - time), tries + 1
            taken = _step(collision, n, y, h)
            if not taken:
                h /= 4
            else:
                step, new, later, error = taken
                size = float(np.sqrt(np.mean((error / (atol + rtol * np.abs(new))) ** 2)))
                if size <= 1:
                    time, n, y = time + step, new, later
                h = step * min(4.0, max(0.2, 0.9 * max(size, 1e-4) ** -0.5))
            if time + h <= time or tries > MOST_STEPS:
                problem = RuntimeError(
                    f"stuck at time {time:g} after {tries} steps; later times are left out"
                )
                problem.partial = out[:i]
                raise problem
        out[i] = n
    return out
