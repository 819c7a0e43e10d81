r"""Three phonons: a longitudinal wave of a chain in a plane decays into two transverse ones, and back.

The springs of the chain obey Pythagoras.  A stretch r along and one s across make them longer by
:math:`r + s^2/2 + \ldots`, and this couples the branches by :math:`\frac12 (\chi_L - \chi_T) \sum r s^2`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._check import integer, one_of, shown
from ..crystal import Crystal
from ._nodes import measure, node_count, shares
from .collisions import Collision
from .resonance import _Plane, decay_ranges

__all__ = ["collision"]

MOST_SAMPLES = 10**6
STATISTICS = "rayleigh-jeans", "bose-einstein"


def collision(crystal: Crystal, nodes: int, samples: int, *, statistics: str = "rayleigh-jeans") -> Collision:
    r"""The collisions L(k) → T(k₁) + T(k₂) of a chain in a plane.

    With n the wave action, and f = n_L (n₁ + n₂) - n₁ n₂, to which quantum statistics add n_L,

    .. math::

        \partial_t n_L(k) &= -\pi \int |V|^2 f\, \delta(\Delta)\, dk_1 , \\
        \partial_t n_T(k_1) &= 2 \pi \int |V|^2 f\, \delta(\Delta)\, dk_2 , \\
        \Delta &= \omega_L - \omega_1 - \omega_2 ,

    .. math::

        |V|^2 = 8\, (\chi_L - \chi_T)^2\,
            \frac{\sin^2 \pi k\, \sin^2 \pi k_1\, \sin^2 \pi k_2}{\omega_L \omega_1 \omega_2} .

    Parameters
    ----------
    crystal : Crystal
        As in `resonance.decays`, both branches pinned: without a pin the longest waves have no bound.
    nodes : int
        Wave numbers of each branch, even.
    samples : int
        Points on each range of longitudinal waves that decay, eight times `nodes` or more.
    statistics : {"rayleigh-jeans", "bose-einstein"}
        Of classical waves, or of phonons (ħ = 1).

    Returns
    -------
    Collision
        On `nodes` longitudinal waves, then as many transverse ones; it keeps the energy and the number
        2 N_L + N_T.

    Raises
    ------
    ValueError
        If the crystal or a number is not as stated, or no wave decays.

    Notes
    -----
    A leg lies on the two nodes next to it, with weights linear in the frequency, so that every collision
    keeps both invariants to round-off.  With M nodes and Q samples the error of a rate is of order
    1/M² + (M/Q)², away from where the exact rate diverges: at the ends of the ranges two roots meet, and the
    Jacobian vanishes like a square root.  The points crowd there like those of Chebyshev, and integrals over
    the zone converge.
    """
    plane = _Plane.of(crystal)
    if not (plane.pin_l > 0 and plane.pin_t > 0):
        raise ValueError(f"crystal.pin = {shown(crystal.pin)}; allowed: two pins, both positive")
    count = node_count("nodes", nodes)
    samples = integer("samples", samples, least=1, most=MOST_SAMPLES)
    one_of("statistics", statistics, STATISTICS)
    legs, strength = _manifold(crystal, samples)
    if not strength.size:
        raise ValueError(
            f"crystal = {shown(crystal)}, of which no longitudinal wave decays; allowed: one with decays"
        )
    branches = [lambda k: np.sqrt(plane.squared(k)), plane.across]
    pairs = [shares(branches[branch], k, count) for branch, k in zip((0, 1, 1), legs, strict=True)]
    k = np.arange(count) / count
    return Collision(
        nodes=np.tile(k, 2),
        measure=np.concatenate([measure(omega, count) for omega in branches]),
        invariants=np.stack([np.concatenate([omega(k) for omega in branches]), np.repeat([2.0, 1.0], count)]),
        node=np.stack(
            [node + branch * count for (node, _), branch in zip(pairs, (0, 1, 1), strict=True)], axis=1
        ),
        weight=np.stack([share for _, share in pairs], axis=1),
        sign=np.array([-1.0, 1.0, 1.0]),
        strength=strength,
        statistics=statistics,
        branch=np.repeat([0, 1], count),
    )


def _manifold(crystal: Crystal, samples: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points (3, R) of the resonant manifold, every pair k₁, k₂ once, and their strengths (R,)."""
    plane = _Plane.of(crystal)
    turns = (np.arange(samples) + 0.5) * np.pi / samples
    points, strengths = [np.zeros((3, 0))], [np.zeros(0)]
    for low, high in decay_ranges(crystal):
        k = (low + high) / 2 - (high - low) / 2 * np.cos(turns)
        which, k1, k2, jacobian = plane.sheet(k)
        k, step = k[which], (high - low) / 2 * np.sin(turns[which]) * np.pi / samples
        legs = np.stack([k, k1, k2])
        omegas = np.stack([np.sqrt(plane.squared(k)), plane.across(k1), plane.across(k2)])
        square = 8 * (plane.chi_l - plane.chi_t) ** 2 * (np.sin(np.pi * legs) ** 2 / omegas).prod(axis=0)
        strength = 2 * np.pi * square / jacobian * step
        points += [legs, np.mod(1 - legs, 1.0)]  # the second root is the mirror image of the first
        strengths += [strength, strength]
    return np.concatenate(points, axis=1), np.concatenate(strengths)
