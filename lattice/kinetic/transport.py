r"""Solutions of the phonon Boltzmann equation of noisy chains, in time, in space and at long wavelengths.

Every collision kernel of :mod:`~lattice.kinetic.noisy` is a short sum of products,
:math:`R(k, k') = \sum_{ab} G_{ab}\, s^a s'^b` with :math:`s = \sin^2 \pi k` and powers 0 to 2.  Gains
then cost a few scalar products, and a Fourier mode in space is a small determinant.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial

import numpy as np
import scipy.optimize
from numpy.typing import ArrayLike, NDArray

from .. import _check
from .._check import instance, number, reals, shown, work
from ..chain import Chain
from ..waves import group_velocity, wave_numbers
from ._scattering import (
    LARGEST,
    MOST,
    SMALLEST,
    Noise,
    collision_matrix,
    factors,
    medium_of,
    rate,
    rate_at,
    scale,
    strength,
)
from ._zone import zone

__all__ = ["decay_rate", "evolve", "relax"]

TERMS = 1e-17  # where the series of the collisions is cut
CONTOUR = 28  # points on the contour of `relax`, for errors of 1e-14
FARTHEST = 1e9  # cells in one step: their number has the digits to say where in the cell


def _ascending(times: ArrayLike) -> NDArray[np.float64]:
    times = _check.times(times)
    if times[-1] > LARGEST:
        raise ValueError(f"times = {shown(times)}; allowed: at most {LARGEST:g}")
    return times


def _energies(energy: ArrayLike, times: NDArray[np.float64], ndim: int) -> NDArray[np.float64]:
    energy = reals("energy", energy)
    if energy.ndim != ndim or min(energy.shape) < 3:
        allowed = "(n,) with n of at least 3" if ndim == 1 else "(places, n), both at least 3"
        raise ValueError(f"energy has shape {energy.shape}; allowed: {allowed}")
    if np.abs(energy).max() > LARGEST:
        raise ValueError(f"energy = {shown(energy)}; allowed: entries of at most {LARGEST:g}")
    work("times", times, float(energy.size) * max(times.size, 100), MOST)
    return energy


def _contour() -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Points z and weights w so that exp(-x) = Re Σ w/(z + x) for every x ≥ 0, to 1e-14.

    The trapezoidal rule on Talbot's contour with the parameters of L. N. Trefethen, J. A. C. Weideman and
    T. Schmelzer, BIT 46, 653 (2006); points come in conjugate pairs.
    """
    angle = (2 * np.arange(CONTOUR // 2) + 1) * np.pi / CONTOUR
    cotangent = 1 / np.tan(0.6407 * angle)
    z = CONTOUR * (0.5017 * angle * cotangent - 0.6122 + 0.2645j * angle)
    slope = CONTOUR * (0.5017 * (cotangent - 0.6407 * angle * (1 + cotangent**2)) + 0.2645j)
    return z, 2 * np.exp(z) * slope / (1j * CONTOUR)


def relax(noise: Noise, energy: ArrayLike, times: ArrayLike) -> NDArray[np.float64]:
    r"""The homogeneous equation :math:`\dot W = \int R(k, k') (W(k') - W(k))\, dk'`.

    Eqs. (24) and (66) of Basile, Olla and Spohn.  No time steps: the solution is an integral over resolvents
    of the collisions, each of which the low rank of the kernel gives at a cost of order n.  The error is of
    order 1e-14 of the largest energy at any time.

    Parameters
    ----------
    noise : VelocityFlip, VelocityExchange or ThreeSiteRotation
        The noise and its rate.
    energy : (n,) array_like
        W at the n ≥ 3 wave numbers of `wave_numbers`, at time 0.
    times : (m,) array_like
        Ascending, not negative, in the unit of 1/rate.

    Returns
    -------
    (m, n) array
        W at these times; its mean over k, the energy per site, is constant to round-off.

    Raises
    ------
    ValueError
        If an argument is not as stated.
    """
    strength(noise)
    times = _ascending(times)
    energy = _energies(energy, times, 1)
    k = wave_numbers(energy.size)
    loss, (u, G) = rate(noise, k), factors(noise, np.sin(np.pi * k) ** 2)
    z, weights = _contour()
    out = np.empty((times.size, k.size))
    for i, t in enumerate(times):
        # (z + φt) f = W + Σ c_a u_a with c = t G ∫ u f.  Of these equations one is replaced by the
        # conservation of energy, z ∫ f = ∫ W, for they depend on each other where z is small beside φt.
        resolvent = 1 / (z[:, None] + loss * t)
        share = resolvent[:, None] * u / k.size
        matrix, right = np.eye(len(G)) - t * G @ (share @ u.T), (share @ energy) @ (t * G)
        matrix[:, 0], right[:, 0] = z[:, None] * share.sum(axis=-1), resolvent @ (loss * t * energy) / k.size
        c = np.linalg.solve(matrix, right[..., None])[..., 0]
        out[i] = energy if t == 0 else (weights @ (resolvent * (energy + c @ u))).real
    return out


def _shift(W: NDArray[np.float64], distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move column k of the cell averages W (places, n) by `distance[k]` cells round the ring.

    In each cell a parabola that has the averages of the cell and its two neighbours, flattened towards
    the mean where it would be negative (X. Zhang and C.-W. Shu, J. Comput. Phys. 229, 3091 (2010)), is
    moved and averaged again.
    """
    whole = np.floor(distance).astype(int)
    part = distance - whole
    places = np.arange(len(W))[:, None]
    W = W[(places - whole) % len(W), np.arange(W.shape[1])]
    before, after = np.roll(W, 1, axis=0), np.roll(W, -1, axis=0)
    slope, bend = (after - before) / 2, (after + before) / 2 - W  # W - bend/12 + slope y + bend y²
    # the least value in the cell: at an end, or at the vertex if the parabola opens upwards inside
    lowest = W + bend / 6 - np.abs(slope) / 2
    inside = (bend > 0) & (np.abs(slope) < bend)
    vertex = np.divide(slope, bend, out=np.zeros_like(W), where=inside) * slope / 4
    lowest = np.where(inside, W - bend / 12 - vertex, lowest)
    flat = np.divide(W, W - lowest, out=np.ones_like(W), where=lowest < 0)
    slope, bend = flat * slope, flat * bend
    # average of the right part of the cell, times its width
    gone = part * (W + (1 - part) * (slope / 2 + bend * (1 - 2 * part) / 6))
    gone = np.clip(gone, 0, W)  # rounding alone
    return W - gone + np.roll(gone, 1, axis=0)


def _collisions(noise: Noise, n: int, dt: float) -> NDArray[np.float64]:
    """exp(dt C), from positive numbers alone, so that it keeps W positive.

    The series over the number of jumps, in a time with one jump or less on average; then the square of that,
    and so on up to `dt`.
    """
    highest = float(rate(noise, wave_numbers(n)).max())
    jumps = (collision_matrix(noise, n) / highest + np.eye(n)) if highest > 0 else np.eye(n)
    squarings = math.ceil(math.log2(max(highest * dt, 1.0)))
    mean = highest * dt / 2.0**squarings
    weight, power, total, m = math.exp(-mean), np.eye(n), np.zeros((n, n)), 0
    while weight > TERMS:
        total += weight * power
        m += 1
        weight *= mean / m
        power = power @ jumps
    for _ in range(squarings):
        total = total @ total
        total /= total.sum(axis=1, keepdims=True)
    return total / total.sum(axis=1, keepdims=True)


def evolve(
    chain: Chain,
    noise: Noise,
    energy: ArrayLike,
    times: ArrayLike,
    *,
    spacing: float,
    dt: float,
) -> NDArray[np.float64]:
    r"""The Boltzmann equation :math:`\partial_t W + v\, \partial_x W = \int R(k, k')(W(k') - W(k))\, dk'`.

    Eqs. (5) and (25) of Basile, Olla and Spohn, on a ring.  Half a step of collisions, a step of flight,
    half a step of collisions: of second order in `dt`, of third in `spacing`.  Both halves are exact in
    time, conserve the energy to round-off and keep W positive.

    The wave number 0 is one of the n, and without a pin it neither flies nor, with noise that keeps the
    momentum, is it scattered: the share 1/n of a start that fills all wave numbers stays where it is.

    Parameters
    ----------
    chain : Chain
        A uniform chain, for the group velocity.
    noise : VelocityFlip, VelocityExchange or ThreeSiteRotation
        The noise and its rate.
    energy : (places, n) array_like
        W at time 0: averages over cells of width `spacing`, at the n wave numbers of `wave_numbers`;
        3 places or more.
    times : (m,) array_like
        Ascending, not negative.
    spacing : float
        Width of a cell, in sites.
    dt : float
        Longest time step.  A phonon may cross any number of cells in a step.

    Returns
    -------
    (m, places, n) array

    Raises
    ------
    ValueError
        If an argument is not as stated.
    """
    instance("chain", chain, Chain, "a Chain")
    strength(noise)
    times = _ascending(times)
    W = _energies(energy, times, 2)
    if (W < 0).any():
        raise ValueError(f"energy = {shown(W)} has negative entries; allowed: none")
    spacing, dt, n = scale("spacing", spacing), scale("dt", dt), W.shape[1]
    work("dt", dt, np.ceil(np.diff(times, prepend=0.0) / dt).sum(), 1e12 / max(W.size, 10_000))
    velocity = group_velocity(chain, wave_numbers(n))
    crossed = np.abs(velocity).max() * min(dt, times[-1]) / spacing
    if crossed > FARTHEST:
        raise ValueError(
            f"spacing = {spacing:g} is crossed {crossed:.1e} times in a step; allowed: {FARTHEST:.0e} cells"
        )
    # intervals that rounding alone tells apart share a matrix
    collisions = lru_cache(maxsize=4)(lambda h: _collisions(noise, n, h / 2))
    done, out = 0.0, np.empty((times.size, *W.shape))
    for i, until in enumerate(times):
        steps = int(np.ceil((until - done) / dt - 1e-9))
        if steps > 0:
            h = (until - done) / steps
            half = collisions(float(f"{h:.12g}"))
            for _ in range(steps):
                W = _shift(W @ half, velocity * h / spacing) @ half
        done = until
        out[i] = W
    return out


def _determinant(
    mu: float, loss: NDArray, turning: NDArray, weights: NDArray, u: NDArray, G: NDArray
) -> float:
    """What vanishes when exp(iqx - μt) f(k) solves the Boltzmann equation, f = Σ c_a u_a / (φ + iqv - μ).

    Of the equations c = G ∫ u f one is replaced by the conservation of energy, ∫ (μ - iqv) f dk = 0: they
    depend on each other where μ and q are 0, so that their own determinant would have no digits there.
    """
    gap = loss - mu
    share = weights / (gap**2 + turning**2)
    closed = np.eye(len(G)) - 2 * G @ (u * (share * gap)) @ u.T  # both halves of the zone
    closed[0] = u @ (share * (turning**2 - mu * gap))
    return float(np.linalg.det(closed))


def decay_rate(chain: Chain, noise: Noise, q: float) -> float:
    r"""The rate μ(q) at which a long wave :math:`e^{iqx}` of energy decays, from the Boltzmann equation.

    It solves :math:`\int \frac{u_a u_b}{\phi + iqv - \mu}\, dk\; G_{bc} f_c = f_a` with
    :math:`R = \sum u_a G_{ab} u_b`; since v is odd the integral is real.  For small q it tends to
    :math:`\kappa q^2` where the conductivity is finite, and to :math:`c\, |q|^{3/2}` with
    :math:`c = \chi^{3/4}/\sqrt{8\gamma}` for unpinned chains whose noise keeps the momentum.  There the
    next term is :math:`(\chi/\gamma)(3/16 - a)\, q^2` with a = 1/4 for the exchange, :math:`1/4\sqrt3` for
    the rotation.

    Parameters
    ----------
    chain : Chain
        A uniform harmonic chain with χ > 0.
    noise : VelocityFlip, VelocityExchange or ThreeSiteRotation
        At a rate above 0.
    q : float
        Wave number in radians per site, not 0.  Beyond some q, of the order of φ/v, waves fly rather
        than diffuse and there is no such rate.

    Returns
    -------
    float
        μ, per unit time of the chain.

    Raises
    ------
    ValueError
        If an argument is not as stated, or there is no decay without oscillation at this q.
    """
    (chi, pin), gamma = medium_of(chain), strength(noise, zero=False)
    # rates in units of that of the noise, velocities in units of the fastest without a pin
    ratio, c = scale("q", abs(number("q", q))) * math.sqrt(chi) / gamma, pin / (4 * chi)
    if ratio / math.sqrt(max(c, 1.0)) < SMALLEST:
        raise ValueError(f"q = {shown(q)}; allowed: larger, the decay is too slow beside the noise")
    # where a phonon crosses the wave between two jumps; a softer pin is no other scale
    crossing = ratio / 4 if ratio / 4 > c else max(ratio * (ratio / c), 1e-40 * min(c, 1.0))
    s, one_minus_s, weights = zone([1.0, min(crossing, 1.0)])
    loss, turning = rate_at(noise, s) / gamma, ratio * np.sqrt(one_minus_s * (s / (s + c)))
    u, G = factors(noise, s)
    miss = partial(_determinant, loss=loss, turning=turning, weights=weights, u=u, G=G / gamma)
    # the root that grows out of 0 lies above the estimate from f = φ/(φ + iqv), by a factor of 1 + √2 at most
    share = weights / (loss**2 + turning**2)
    grid = (share @ (loss * turning**2)) / (share @ loss**2) * np.geomspace(0.98, 2.5, 201)
    values = np.array([miss(mu) for mu in grid])
    change = np.flatnonzero(np.sign(values[1:]) != np.sign(values[:-1]))
    if change.size == 0:
        raise ValueError(f"q = {shown(q)}; allowed: small enough for the wave to decay without oscillation")
    low, high = grid[change[0]], grid[change[0] + 1]
    return gamma * float(scipy.optimize.brentq(miss, low, high, xtol=1e-300, rtol=1e-13))
