r"""A chain that moves in a plane: its springs obey Hooke, and all that is anharmonic comes from geometry.

Neighbours rest at distance 1, and the spring between them is stretched: its natural length :math:`\ell_0` is
less.  If they part by r along the chain and by s across it, it has the length
:math:`\ell^2 = (1 + r)^2 + s^2` and the energy

.. math:: \tfrac12 K (\ell - \ell_0)^2 = \text{const} + \chi_T r
          + \tfrac12 \chi_L r^2 + \tfrac12 \chi_T s^2 + \tfrac12 (\chi_L - \chi_T)\, r s^2 + \dots

with :math:`\chi_L = K` and :math:`\chi_T = K (1 - \ell_0)`: the two stiffnesses of a harmonic crystal say
everything.  On a ring the sum over r is 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _check
from .._check import finite, instance, number, one_of, shown, work
from .._kernels.planar import march
from ..chain import State, canonical, started
from ..crystal import MOST_NUMBERS, Crystal
from ._splitting import SCHEMES

__all__ = ["PlanarTrajectory", "energy", "evolve"]

MOST_STEPS = 1e13  # of a site: some hours


@dataclass(frozen=True, eq=False)
class PlanarTrajectory:
    """States of an ensemble of chains in a plane at chosen times, and the inputs that made them.

    Attributes
    ----------
    q, p : (times, replicas, 2, n) array
        Displacements and momenta, along the chain and across it.
    times : (times,) array
        Since the start.
    crystal, dt, scheme
        What was evolved and how; `dt` is the longest step allowed.
    """

    q: NDArray[np.float64]
    p: NDArray[np.float64]
    times: NDArray[np.float64]
    crystal: Crystal
    dt: float
    scheme: str
    __repr__ = _check.brief


def _springs(crystal: Crystal) -> tuple[float, float]:
    """The stiffnesses along and across the springs, checked."""
    instance("crystal", crystal, Crystal, "a Crystal")
    steps, stiffness = crystal.springs
    near = crystal.d == 1 and steps.tolist() in ([[1]], [[-1]])
    if not near or crystal.components != 2 or stiffness.shape != (1, 2):
        raise ValueError(
            f"crystal = {shown(crystal)}; allowed: a ring with a pair of bonds between neighbours, such as "
            "Crystal((n,), {1: (Bond(chi=4.0), Bond(chi=1.0))}, components=2)"
        )
    along, across = stiffness[0].tolist()
    if not 0 < across <= along:
        raise ValueError(
            f"crystal has springs with chi = {along} along and {across} across; allowed: above 0 across and "
            "no more than along, so that the natural length lies between 0 and 1"
        )
    return along, across


def _stretches(q: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """By how much neighbours part along the chain and across it, and the lengths of the springs."""
    r, s = np.moveaxis(np.roll(q, -1, axis=-1) - q, -2, 0)
    return r, s, np.hypot(1 + r, s)


@finite
def energy(crystal: Crystal, q: ArrayLike, p: ArrayLike) -> NDArray[np.float64]:
    """The energy above that of rest.

    Parameters
    ----------
    crystal : Crystal
        As in `evolve`.
    q, p : (..., 2, n) array_like
        Displacements and momenta, along the chain and across it.

    Returns
    -------
    (...) array
        Energies of the states, without loss of digits however small they are.

    Raises
    ------
    ValueError
        If the crystal is not as in `evolve`, the shapes do not fit, an entry is not finite, or an energy is
        beyond the floats.
    """
    along, across = _springs(crystal)
    q, p = canonical(crystal, q, p)
    r, s, length = _stretches(q)
    longer = (2 * r + r * r + s * s) / (length + 1)  # than 1
    # K(ℓ - ℓ₀)²/2 without its constant and without χ_T r, neither of which the ring feels
    potential = along * longer**2 / 2 + across * (r * r + s * s - r * longer) / (length + 1)
    return (np.square(p) + crystal.pins[:, None] * np.square(q)).sum(axis=(-2, -1)) / 2 + potential.sum(-1)


@finite
def evolve(
    crystal: Crystal, start: State, times: ArrayLike, *, dt: float, scheme: str = "verlet"
) -> PlanarTrajectory:
    r"""Evolve an ensemble of chains in a plane with exact springs, and return its states at given times.

    Parameters
    ----------
    crystal : Crystal
        A ring with a pair of bonds, ``Crystal((n,), {1: (Bond(chi=L), Bond(chi=T))}, components=2)`` with
        :math:`0 < \chi_T \le \chi_L`, and harmonic pins, one a component if they differ.
    start : State
        The ensemble at time 0, ``(replicas, 2, n)``: along the chain and across it.
    times : (times,) array_like
        Ascending, not negative.
    dt : float
        The longest step: each interval between outputs is cut into as few equal steps as this allows.
    scheme : {"verlet", "fourth-order"}
        As in `micro.evolve`.

    Returns
    -------
    PlanarTrajectory
        The states, and the inputs.

    Raises
    ------
    ValueError
        If an argument is not as stated, a spring of the start has no length and hence no direction, the
        scheme is not stable with this `dt`, a number gets beyond the floats, or it would take more than 10¹³
        steps of a site.

    Notes
    -----
    Momentum is kept to round-off if there are no pins, and without displacements across the chain none arise.
    No run blows up: the potential is bounded from below and grows no faster than a square.
    """
    along, across = _springs(crystal)
    started(start, (2, crystal.n))
    times, dt = _check.times(times), number("dt", dt, above=0)
    splitting = SCHEMES[one_of("scheme", scheme, SCHEMES)]
    # no spring is stiffer than χ_L in any direction, at any length
    highest = math.sqrt(4 * along + max(crystal.pins))
    if dt * highest >= splitting.limit:
        raise ValueError(
            f"dt = {dt!r} with frequencies up to {highest:.4g} of the crystal; allowed: below "
            f"{splitting.limit / highest:.4g}, where the scheme is stable"
        )
    work("times", times, 2.0 * times.size * start.q.size, MOST_NUMBERS)
    count, most = float(times[-1]) / dt * len(splitting.drifts), MOST_STEPS / start.q.size
    if not count <= most:
        raise ValueError(
            f"times = {shown(times)} with dt = {dt!r} need {count:.1e} steps; allowed: at most {most:.0e}"
        )
    if not _stretches(start.q)[2].all():
        raise ValueError(
            f"start = {shown(start)} has a spring of length 0; allowed: neighbours that are apart"
        )
    q, p = (np.pad(x, ((0, 0), (0, 0), (1, 1))) for x in (start.q, start.p))
    kicks, drifts = np.array(splitting.kicks), np.array(splitting.drifts)
    law = along, 1 - across / along, *map(float, crystal.pins)
    run_q, run_p = np.empty((2, times.size, *start.q.shape))
    for i, (steps, h) in enumerate(zip(*_check.steps(times, dt), strict=True)):
        march(q, p, kicks, drifts, int(steps), h, *law)
        run_q[i], run_p[i] = q[..., 1:-1], p[..., 1:-1]
    return PlanarTrajectory(run_q, run_p, times.copy(), crystal, dt, scheme)
