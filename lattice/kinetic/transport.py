r"""Solutions of the phonon Boltzmann equation in space and time, and at long wavelengths.

In space the collisions are linear, a :class:`~lattice.kinetic.collisions.Collision` of two legs.

Every collision kernel of :mod:`~lattice.kinetic.noisy` is a short sum of products,
:math:`R(k, k') = \sum_{ab} G_{ab}\, s^a s'^b` with :math:`s = \sin^2 \pi k` and powers 0 to 2, so that
a Fourier mode in space is a small determinant.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial

import numpy as np
import scipy.optimize
from numpy.typing import ArrayLike, NDArray

from .. import _check
from .._check import instance, number, reals, shown, steps, work
from ..chain import Chain
from ._relaxation import propagator, within
from ._scattering import (
    LARGEST,
    MOST,
    SMALLEST,
    Noise,
    factors,
    medium_of,
    rate_at,
    scale,
    strength,
)
from ._zone import zone
from .collisions import MOST_NODES, Collision

__all__ = ["decay_rate", "evolve"]

FARTHEST = 1e9  # cells in one step: their number has the digits to say where in the cell


def _ascending(times: ArrayLike) -> NDArray[np.float64]:
    times = _check.times(times)
    if times[-1] > LARGEST:
        raise ValueError(f"times = {shown(times)}; allowed: at most {LARGEST:g}")
    return times


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


def evolve(
    collision: Collision,
    velocity: ArrayLike,
    energy: ArrayLike,
    times: ArrayLike,
    *,
    spacing: float,
    dt: float,
) -> NDArray[np.float64]:
    r"""The Boltzmann equation :math:`\partial_t W + v\, \partial_x W = CW` with linear collisions C.

    Eqs. (5) and (25) of Basile, Olla and Spohn with those of `noisy.collision`, on a ring.  Half a step of
    collisions, a step of flight, half a step of collisions: of second order in `dt`, of third in `spacing`.
    Both halves are exact in time, conserve Σ m W to round-off and keep W positive.

    Of the n wave numbers of a chain 0 is one, and without a pin it neither flies nor, with noise that keeps
    the momentum, is it scattered: the share 1/n of a start that fills all wave numbers stays where it is.

    Parameters
    ----------
    collision : Collision
        A linear one, of at most 4000 nodes; they may have strength 0.
    velocity : (n,) array_like
        v of its nodes, the `group_velocity` at their wave numbers for example.
    energy : (places, n) array_like
        W at time 0: averages over cells of width `spacing`, not negative; 3 places or more.
    times : (m,) array_like
        Ascending, not negative.
    spacing : float
        Width of a cell, in sites.
    dt : float
        Longest time step.  A phonon may cross any number of cells in a step, and collide 10⁷ times.

    Returns
    -------
    (m, places, n) array

    Raises
    ------
    ValueError
        If an argument is not as stated.
    """
    instance("collision", collision, Collision, "a Collision")
    n = len(collision.measure)
    if not collision.is_linear or n > MOST_NODES:
        raise ValueError(
            f"collision = {shown(collision)}; allowed: a linear one of at most {MOST_NODES} nodes"
        )
    v = reals("velocity", velocity)
    if v.shape != (n,) or np.abs(v).max() > LARGEST:
        raise ValueError(f"velocity = {shown(v)}; allowed: {n} numbers of at most {LARGEST:g}")
    times = _ascending(times)
    W = reals("energy", energy)
    if W.ndim != 2 or len(W) < 3 or W.shape[1] != n:
        raise ValueError(f"energy has shape {W.shape}; allowed: (places, {n}), at least 3 places")
    if (W < 0).any() or W.max() > LARGEST:
        raise ValueError(f"energy = {shown(W)}; allowed: entries from 0 to {LARGEST:g}")
    work("times", times, float(W.size) * times.size, MOST)
    spacing, dt = scale("spacing", spacing), scale("dt", dt)
    counts, sizes = steps(times, dt)
    work("dt", dt, counts.sum(), 1e12 / max(W.size, 10_000))
    longest = min(dt, times[-1])
    crossed = np.abs(v).max() * longest / spacing
    if crossed > FARTHEST:
        raise ValueError(
            f"spacing = {spacing:g} is crossed {crossed:.1e} times in a step; allowed: {FARTHEST:.0e} cells"
        )
    within(collision, "dt", longest)

    @lru_cache(maxsize=4)  # intervals that rounding alone tells apart share a matrix
    def collisions(time: float) -> NDArray[np.float64]:
        return propagator(collision, time)

    out = np.empty((times.size, *W.shape))
    for i, (count, h) in enumerate(zip(counts, sizes, strict=True)):
        if count > 0:
            half = collisions(float(f"{h / 2:.12g}"))
            for _ in range(int(count)):
                W = _shift(W @ half, v * h / spacing) @ half
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
    s, one_minus_s, weights = zone()
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
