r"""Collisions of four phonons, two into two, in a pinned chain whose pins are quartic.

With :math:`\hat q = (a(k) + a(-k)^*)/\sqrt{2\omega}` and the wave action :math:`n = \langle|a|^2\rangle` per
site, the pins :math:`\lambda q^4/4` couple four waves with the strength
:math:`T = \frac{3\lambda}{4} (\omega_1\omega_2\omega_3\omega_4)^{-1/2}`, and

.. math:: \dot n_1 = 4\pi \int T^2\, n_1 n_2 n_3 n_4
          \Bigl(\frac1{n_1} + \frac1{n_2} - \frac1{n_3} - \frac1{n_4}\Bigr)
          \delta(\omega_1 + \omega_2 - \omega_3 - \omega_4)\, dk_2\, dk_3

with :math:`k_4 = k_1 + k_2 - k_3` modulo 1.
"""

from __future__ import annotations

import math

import numpy as np

from .._check import instance, integer, work
from ..chain import Chain
from ..waves import dispersion
from ._nodes import measure, node_count, shares
from .collisions import Collision
from .resonance import four_phonons

__all__ = ["collision"]

MOST_INTERACTIONS = 2e7  # 2 GB
SHIFTS = 0.25, 0.75  # of the samples of k₁ and k₃: no exchange is among them


def collision(chain: Chain, nodes: int, samples: int, *, statistics: str = "rayleigh-jeans") -> Collision:
    r"""The collisions of two phonons with two of the pinned quartic chain.

    Parameters
    ----------
    chain : Chain
        Uniform, with harmonic bonds χ > 0 and pins of χ = ω₀² > 0 and β = λ > 0, no other coefficient.
    nodes : int
        M, even: wave numbers j/M, at most 4000.
    samples : int
        Q, of k₁ and of k₃: the list has Q² interactions.  Twice `nodes` serve within the band; at its edges,
        where the velocity vanishes, they leave an error of one in a hundred, and four times `nodes` do not.
    statistics : {"rayleigh-jeans", "bose-einstein"}
        Classical waves, or phonons with ħ = 1.

    Returns
    -------
    Collision
        Its invariants are the number, 1, and the energy, ω; the error is of order 1/M².

    Raises
    ------
    ValueError
        If an argument is not as stated.

    Notes
    -----
    Given k₁ and k₃, one k₂ solves the balance of frequencies without being an exchange; see
    :mod:`lattice.kinetic.resonance`.  In the sums :math:`1/|\omega_2' - \omega_4'|` is replaced by twice the
    inverse of :math:`|\omega_2' - \omega_4'| + |\omega_1' - \omega_3'|`: the same integral, by the symmetry
    under 1, 3 → 2, 4, with a smoother integrand.  The number is kept because three phonons never make one in
    a scalar chain of nearest neighbours.  The wave number, kept up to integers, is no invariant: umklapp
    changes it.
    """
    instance("chain", chain, Chain, "a Chain")
    bond, pin = chain.bond, chain.pin
    fits = chain.is_uniform and bond.is_harmonic and bond.chi > 0 and pin.chi > 0 and pin.beta > 0
    if not fits or pin.alpha or pin.J:
        raise ValueError(
            f"chain has bond = {bond!r}, pin = {pin!r}; allowed: numbers, a harmonic bond with chi > 0, "
            "a pin with chi > 0 and beta > 0 alone"
        )
    count, samples = node_count("nodes", nodes), integer("samples", samples, least=4, most=10**6)
    work("samples", samples, float(samples) ** 2, MOST_INTERACTIONS)

    def omega(k):
        return dispersion(harmonic, k)

    harmonic = Chain(chain.n, bond, type(pin)(chi=pin.chi))
    k1, k3 = ((np.arange(samples) + shift) / samples for shift in SHIFTS)
    k1, k3 = (k.ravel() for k in np.meshgrid(k1, k3, indexing="ij"))
    found = four_phonons(harmonic, k1, k3)
    waves = np.stack([k1, found.k2, k3, found.k4], axis=-1)
    node, share = shares(omega, waves, count)
    vertex = 9 / 16 * pin.beta**2 / omega(waves).prod(axis=-1)
    jacobian = (found.jacobian + found.balance) / 2
    # a quarter: each of the four legs stands for k₁ in turn
    strength = math.pi * vertex / jacobian / samples**2
    k = np.arange(count) / count
    return Collision(
        nodes=k,
        measure=measure(omega, count),
        invariants=np.stack([np.ones(count), omega(k)]),
        node=node,
        weight=share,
        sign=np.array([1.0, 1.0, -1.0, -1.0]),
        strength=strength,
        statistics=statistics,
    )
