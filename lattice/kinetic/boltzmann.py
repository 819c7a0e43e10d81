r"""Solutions of the phonon Boltzmann equation of noisy chains, in time, in space and at long wavelengths.

Every collision kernel of :mod:`~lattice.kinetic.phonons` is a short sum of products,
:math:`R(k, k') = \sum_{ab} G_{ab}\, s^a s'^b` with :math:`s = \sin^2 \pi k` and powers 0 to 2.  Gains
then cost a few scalar products, and a Fourier mode in space is a small determinant.
"""

from __future__ import annotations

import math
import numbers
from functools import partial

import numpy as np
import scipy.integrate
import scipy.optimize
from numpy.typing import ArrayLike, NDArray

from ..model import Chain, VelocityExchange, VelocityFlip
from ..waves import group_velocity, wave_numbers
from .phonons import Noise, collision_matrix, rate

__all__ = ["decay_rate", "evolve", "relax"]

TOLERANCE = 1e-11  # relative, of the integration in time
TERMS = 1e-17  # where the series of the collisions is cut


def _factors(noise: Noise, s: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Functions u_a(k), shape (rank, …), and the matrix G with R(k, k') = Σ u_a(k) G_ab u_b(k')."""
    if isinstance(noise, VelocityFlip):
        return np.ones_like(s)[None], np.array([[2 * noise.rate]])
    if isinstance(noise, VelocityExchange):
        return s[None], np.array([[8 * noise.rate]])
    return np.stack([s, s**2]), 32 / 3 * noise.rate * np.array([[0.0, 1.0], [1.0, -2.0]])


def _ascending(times: ArrayLike) -> NDArray[np.float64]:
    times = np.asarray(times, dtype=np.float64)
    if times.ndim != 1 or times.size == 0 or not np.isfinite(times).all() or times[0] < 0:
        raise ValueError(f"times = {times!r}; allowed: a vector of ascending numbers, not negative")
    if (np.diff(times) < 0).any():
        raise ValueError(f"times = {times!r}; allowed: a vector of ascending numbers, not negative")
    return times


def _energies(name: str, energy: ArrayLike, ndim: int) -> NDArray[np.float64]:
    energy = np.array(energy, dtype=np.float64)
    if energy.ndim != ndim or energy.shape[-1] < 3 or not np.isfinite(energy).all():
        allowed = "(n,)" if ndim == 1 else "(places, n)"
        raise ValueError(
            f"{name} has shape {energy.shape}; allowed: {allowed} with n of at least 3, all entries finite"
        )
    return energy


def relax(noise: Noise, energy: ArrayLike, times: ArrayLike) -> NDArray[np.float64]:
    r"""The homogeneous equation :math:`\dot W = \int R(k, k') (W(k') - W(k))\, dk'`.

    Eqs. (24) and (66) of Basile, Olla and Spohn.  A Runge-Kutta scheme of order 8; gains by the low rank
    of the kernel, so that a step costs of order n.

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
    energy, times = _energies("energy", energy, 1), _ascending(times)
    k = wave_numbers(energy.size)
    loss = rate(noise, k)
    u, G = _factors(noise, np.sin(np.pi * k) ** 2)

    def change(t: float, W: NDArray[np.float64]) -> NDArray[np.float64]:
        return (G @ (u @ W) / k.size) @ u - loss * W

    if times[-1] == 0:
        return np.repeat(energy[None], times.size, axis=0)
    scale = np.abs(energy).max()
    solution = scipy.integrate.solve_ivp(
        change,
        (0, times[-1]),
        energy,
        "DOP853",
        t_eval=times,
        rtol=TOLERANCE,
        atol=TOLERANCE * scale if scale > 0 else 1.0,
    )
    return solution.y.T


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
    vertex = np.divide(slope**2, 4 * bend, out=np.zeros_like(W), where=inside)
    lowest = np.where(inside, W - bend / 12 - vertex, lowest)
    steep = (lowest < 0) & (W > 0)
    flat = np.divide(W, W - lowest, out=np.ones_like(W), where=steep)
    slope, bend = flat * slope, flat * bend
    # average of the right part of the cell, times its width
    gone = part * (W + (1 - part) * (slope / 2 + bend * (1 - 2 * part) / 6))
    gone = np.clip(gone, 0, W)  # rounding alone
    return W - gone + np.roll(gone, 1, axis=0)


def _collisions(noise: Noise, n: int, dt: float) -> NDArray[np.float64]:
    """exp(dt C), by a series whose terms are all positive, so that it keeps W positive."""
    highest = rate(noise, wave_numbers(n)).max()
    jumps = (collision_matrix(noise, n) / highest + np.eye(n)) if highest > 0 else np.eye(n)
    weight, power, total, m = np.exp(-highest * dt), np.eye(n), np.zeros((n, n)), 0
    while True:
        total += weight * power
        m += 1
        weight *= highest * dt / m
        if weight < TERMS and m > highest * dt:
            return total / total.sum(axis=1)
        power = power @ jumps


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
    W, times = _energies("energy", energy, 2), _ascending(times)
    if len(W) < 3:
        raise ValueError(f"energy has shape {W.shape}; allowed: at least 3 places")
    if (W < 0).any():
        raise ValueError("energy has negative entries; allowed: none")
    for name, value in (("spacing", spacing), ("dt", dt)):
        if not (isinstance(value, numbers.Real) and math.isfinite(value) and value > 0):
            raise ValueError(f"{name} = {value!r}; allowed: a finite number above 0")
    n = W.shape[1]
    velocity = group_velocity(chain, wave_numbers(n))
    done, out, known = 0.0, np.empty((times.size, *W.shape)), {}
    for i, until in enumerate(times):
        steps = int(np.ceil((until - done) / dt - 1e-9))
        if steps > 0:
            h = (until - done) / steps
            if steps not in known or known[steps][0] != h:
                known = {steps: (h, _collisions(noise, n, h / 2))}
            half = known[steps][1]
            for _ in range(steps):
                W = _shift(W @ half, velocity * h / spacing) @ half
        done = until
        out[i] = W
    return out


def _panels(smallest: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights on (0, ½), on panels that halve towards 0 down to `smallest`."""
    edges = np.concatenate([[0.0], 0.5 * 2.0 ** np.arange(np.floor(np.log2(2 * smallest)), 1)])
    x, w = np.polynomial.legendre.leggauss(24)
    width = np.diff(edges)
    nodes = edges[:-1, None] + width[:, None] * (x + 1) / 2
    return nodes.ravel(), (width[:, None] * w / 2).ravel()


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

    Raises
    ------
    ValueError
        If an argument is not as stated, or there is no decay without oscillation at this q.
    """
    if not (isinstance(q, numbers.Real) and math.isfinite(q) and q != 0):
        raise ValueError(f"q = {q!r}; allowed: a finite number other than 0")
    if getattr(noise, "rate", 0) <= 0:
        raise ValueError(f"noise = {noise!r}; allowed: a noise with a rate above 0")
    k, weights = _panels(min(1e-3, abs(q)) * 1e-6)
    loss, turning = rate(noise, k), q * group_velocity(chain, k)
    u, G = _factors(noise, np.sin(np.pi * k) ** 2)
    miss = partial(_determinant, loss=loss, turning=turning, weights=weights, u=u, G=G)
    # the root that grows out of 0: the first change of sign
    grid = np.concatenate([[0.0], np.geomspace(1e-12, 1, 400) * loss.max()])
    values = np.array([miss(mu) for mu in grid])
    change = np.flatnonzero(np.sign(values[1:]) != np.sign(values[:-1]))
    if change.size == 0:
        raise ValueError(f"q = {q!r}; allowed: small enough for the wave to decay without oscillation")
    low, high = grid[change[0]], grid[change[0] + 1]
    return float(scipy.optimize.brentq(miss, low, high, xtol=1e-300, rtol=1e-13))
