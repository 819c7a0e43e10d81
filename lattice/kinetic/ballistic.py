r"""Phonons that fly freely between two ends that absorb and emit them.

Without collisions the distribution of phonons obeys
:math:`\partial_t W + v(k) \partial_x W = 0` in the chain, and the ends only enter
as boundary conditions: an end at temperature T absorbs a phonon that
arrives with probability a(k), reflects it otherwise, and emits a(k) T.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._check import instance, one_of, reals
from ..chain import Chain
from ..noise import Langevin
from ..waves import dispersion, group_velocity
from ._scattering import medium_of, scale
from ._zone import zone

__all__ = ["absorption", "current"]


def absorption(chain: Chain, friction: float, k: ArrayLike, *, end: str) -> NDArray[np.float64]:
    r"""The probability :math:`a(k) = 1 - |R(k)|^2` that an end with friction absorbs a phonon.

    Parameters
    ----------
    chain : Chain
        Uniform and harmonic; its bulk is the medium.
    friction : float
        Friction γ of the last site, not negative.
    k : array_like
        Wave numbers.
    end : {"fixed", "free"}
        What lies beyond the last site.

    Returns
    -------
    array
        The probabilities, in the shape of k, between 0 and 1.

    Raises
    ------
    ValueError
        If the chain is not harmonic and uniform, the friction is negative, the end unknown or a wave number
        not finite.

    Notes
    -----
    The reflected amplitude follows from the motion of the last site, q₁: with
    a wall beyond it, :math:`\chi q_0 = i\omega\gamma q_1` must hold for the continued
    wave :math:`q_j = e^{-2\pi i k j} + R\, e^{2\pi i k j}`; with a free end,
    :math:`\chi q_0 = (\chi + i\omega\gamma) q_1`.
    """
    chi, _ = medium_of(chain)
    friction = scale("friction", friction, zero=True)
    one_of("end", end, ("fixed", "free"))
    k = np.fmod(reals("k", k), 1.0)
    resistance = friction * dispersion(chain, k)
    wave_impedance = chi * np.abs(np.sin(2 * np.pi * k))
    # |χ - z e^{±iθ}|² with z = iωγ at a wall and χ + iωγ at a free end; a = 1 - their ratio
    if end == "fixed":
        even = chi**2 + resistance**2
    else:
        even = (2 * chi * np.sin(np.pi * k)) ** 2 + resistance**2
    odd = 2 * resistance * wave_impedance
    return np.divide(2 * odd, even + odd, out=np.zeros_like(even + odd), where=even + odd > 0)


def current(chain: Chain, left: Langevin, right: Langevin) -> float:
    r"""The stationary energy current of free phonons between two baths, to the right.

    .. math:: J = (T_L - T_R) \int_0^{1/2} v(k)\, \frac{a_L a_R}{a_L + a_R - a_L a_R}\, dk

    The fraction sums all reflections of a phonon between the ends, without interference,
    so the length of the chain does not enter: this is the limit of long chains.

    Parameters
    ----------
    chain : Chain
        Uniform and harmonic, with two ends.
    left, right : Langevin
        Baths at the two end sites, without force.

    Returns
    -------
    float
        Energy per unit time.

    Raises
    ------
    ValueError
        If the chain is a ring or not uniform and harmonic, or a bath is not at its end or exerts a force.
    """
    medium_of(chain)
    if chain.periodic:
        raise ValueError("chain has boundary = 'periodic'; allowed: 'fixed', 'free' or a pair of them")
    for name, bath, sites in (("left", left, (0, -chain.n)), ("right", right, (-1, chain.n - 1))):
        instance(name, bath, Langevin, "a Langevin bath")
        if bath.site not in sites:
            raise ValueError(f"{name}.site = {bath.site}; allowed: {sites[0]} or {sites[1]}")
        if bath.force:
            raise ValueError(f"{name}.force = {bath.force}; allowed: 0")
        for part in ("temperature", "friction"):
            scale(f"{name}.{part}", getattr(bath, part), zero=True)

    frictions = left.friction, right.friction
    if 0 in frictions:
        return 0.0
    s, one_minus_s, weight = zone()
    k = np.arctan2(np.sqrt(s), np.sqrt(one_minus_s)) / np.pi
    a, b = (absorption(chain, g, k, end=end) for g, end in zip(frictions, chain.ends, strict=True))
    both = np.divide(a * b, a + b - a * b, out=np.zeros_like(a), where=a * b > 0)
    return (left.temperature - right.temperature) * float(weight @ (group_velocity(chain, k) * both))
