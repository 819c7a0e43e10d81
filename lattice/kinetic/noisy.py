r"""The phonon Boltzmann equation of harmonic chains with noise that keeps the energy.

In the limit of weak noise the energy W(x, k, t) of the waves obeys

.. math:: \partial_t W + v(k)\, \partial_x W = \int_0^1 R(k, k') \bigl(W(k') - W(k)\bigr)\, dk'

with the group velocity :math:`v = \omega'/2\pi`.  The noise acts on the momenta alone, and a
wave is half momentum: with :math:`P(k) = \langle|\hat p(k)|^2\rangle` per site, a generator that gives
:math:`\dot{\langle\hat p\rangle} = -\phi \langle\hat p\rangle` and
:math:`\dot P(k) = -2\phi(k) P(k) + \int G(k, k') P(k')\, dk'` has :math:`R = G/2`, and keeps the
energy if :math:`\int R(k, k')\, dk' = \phi(k)`.  The rate of the noise is part of R and of φ;
with the rate εγ all times are microscopic, with the rate γ they are kinetic.

Every R below is even in each argument, so scattering forgets the direction of a wave, and
what is odd in k, such as the energy current, decays at the rate φ(k) and nothing else.

Stiffnesses, pins, rates and times are 0 or from 1e-15 to 1e15.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.special
from numpy.typing import ArrayLike, NDArray

from .._check import integer, reals, shown, work
from ..chain import Chain
from ..crystal import Crystal
from ..noise import PairRotation, ThreeSiteRotation, VelocityExchange
from ..waves import wave_numbers
from ._scattering import (
    KEEPING,
    LARGEST,
    MOST,
    Noise,
    collision_matrix,
    conductivity_of,
    isolated_eigenvalue,
    kernel,
    rate,
    rate_at,
    setting,
)
from ._zone import LOGARITHMS, STEP, zone
from .collisions import MOST_NODES, Collision

__all__ = [
    "Tail",
    "collision",
    "collision_matrix",
    "conductivity",
    "current_correlation",
    "isolated_eigenvalue",
    "kernel",
    "rate",
    "tail",
]


@dataclass(frozen=True)
class Tail:
    r"""What a correlation tends to at long times, :math:`C(t)/T^2 \simeq A\, t^{s}`.

    Attributes
    ----------
    exponent, prefactor : float
        s, which is negative, and A.
    """

    exponent: float
    prefactor: float


def _times(times: ArrayLike) -> NDArray[np.float64]:
    """Times in any shape and order, checked."""
    found = reals("times", times)
    if found.min() < 0 or found.max() > LARGEST:
        raise ValueError(f"times = {shown(times)}; allowed: numbers from 0 to {LARGEST:g}")
    return found


def _propagator(d: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
    r""":math:`\int \sin^2(2\pi k_1)\, e^{-x \sum_l \sin^2 \pi k_l}\, dk` over d dimensions, for x > 0."""
    return 2 * scipy.special.i1e(x / 2) / x * scipy.special.i0e(x / 2) ** (d - 1)


def collision(medium: Chain | Crystal, noise: Noise | PairRotation, n: int) -> Collision:
    r"""The collisions of phonons on n wave numbers, or on the grid of :math:`n^d` wave vectors.

    Two legs lead from each node to each other: a phonon jumps from k to k' with the density R of `kernel`.
    In a crystal a node is a wave vector and a polarisation, the `branch`, and a phonon jumps to each of the
    other d - 1 polarisations with the density R/(d - 1), never within its own.  The occupation is the
    energy W, so that "rayleigh-jeans" are the statistics; its sum is the only invariant.  n ≥ 3 points along
    each axis integrate these kernels exactly.

    Parameters
    ----------
    medium, noise
        As in `conductivity`; the rate may be 0.
    n : int
        Number of wave numbers of `wave_numbers`, along each axis of a crystal; with all polarisations there
        are at most 4000 nodes.

    Returns
    -------
    Collision
        The nodes of a crystal are those of an array (d, n, …): first the polarisation, then k as in
        `wave_numbers`.

    Raises
    ------
    ValueError
        As in `conductivity`, or if n is not an integer of at least 3, or too large.
    """
    d = setting(medium, noise)[0]
    n = integer("n", n, least=3, most=MOST_NODES)
    waves = n**d
    work("n", n, d * waves, MOST_NODES)
    if d == 1:
        k = wave_numbers(n)
        legs = np.stack(np.triu_indices(n, 1), axis=1)
    else:
        k = wave_numbers((n,) * d).reshape(waves, d)
        places = np.indices((waves, waves)).reshape(2, -1).T
        legs = np.concatenate([places + waves * np.array([i, j]) for i in range(d) for j in range(i + 1, d)])
    R = kernel(noise, k[:, None], k)
    return Collision(
        nodes=np.tile(k, (d, 1)) if d > 1 else k,
        measure=np.full(d * waves, 1 / waves),
        invariants=np.ones((1, d * waves)),
        node=legs[:, :, None],
        sign=[-1, 1],
        strength=R[legs[:, 0] % waves, legs[:, 1] % waves] / (max(d - 1, 1) * waves**2),
        branch=np.arange(d).repeat(waves) if d > 1 else None,
    )


def conductivity(medium: Chain | Crystal, noise: Noise | PairRotation) -> float:
    r"""The conductivity of the phonons, :math:`\kappa = \int v(k)^2/\phi(k)\, dk`.

    Of a chain, in closed form, with :math:`D = \sqrt{1 + 4\chi/\omega_0^2}`:

    .. math::

        \kappa_{\text{flip}} &= \frac{(\sqrt{\omega_0^2 + 4\chi} - \omega_0)^2}{16\gamma}, \\
        \kappa_{\text{exchange}} &= \frac{\chi}{4\gamma} (D - 1), \\
        \kappa_{\text{rotation}} &= \frac{3\chi^2 \bigl(D - 1/\sqrt3\bigr)}{2\gamma (\omega_0^2 + 6\chi)}.

    Of a crystal it is what the springs conduct along one axis, all d polarisations together,

    .. math:: \kappa_{11} = d \int \frac{v_1(k)^2}{\phi(k)}\, dk .

    Parameters
    ----------
    medium : Chain or Crystal
        A chain that is uniform and harmonic, with positive stiffness; or a crystal in two or three
        dimensions with bonds between nearest neighbours.  The size does not matter: the medium is infinite.
    noise : VelocityFlip, VelocityExchange or ThreeSiteRotation; PairRotation for a crystal
        The noise and its rate.

    Returns
    -------
    float
        κ; ``math.inf`` without noise, and in one and two dimensions without a pin if the noise keeps the
        momentum: the integral diverges at k = 0, where φ vanishes and v does not.

    Raises
    ------
    ValueError
        If the medium is not as stated or the noise not one of these.

    Notes
    -----
    Basile, Olla and Spohn, eq. (74), where the rotation has the rate γ.  This is the leading
    order for weak noise; the current that the noise itself carries is not in it.  In a crystal that is
    dγ more: a pair of neighbours passes on :math:`\gamma(|p_y|^2 - |p_z|^2)` on average.

    For a crystal, with :math:`c = \omega_0^2/4\chi` and both denominators written as integrals of
    exponentials, the integral over k factorises into Bessel functions,

    .. math:: \kappa_{11} = \frac{d\chi}{32\gamma} \int_0^\infty \frac{1 - e^{-cx}}{c}\,
        \frac{I_1(x/2)}{x/2}\, I_0(x/2)^{d-1} e^{-dx/2}\, dx,

    and no singularity at k = 0 is left (to a relative 1e-12).  Without a pin it is
    :math:`(u - 1)\chi/8\gamma`, where u is the mean number of visits of a simple random walk to where it
    starts.
    """
    d, chi, pin, gamma = setting(medium, noise)
    if d == 1:
        return conductivity_of(noise, chi, pin)
    if gamma == 0 or (pin == 0 and d == 2):
        return math.inf
    c = pin / (4 * chi)
    x = np.exp(LOGARITHMS)
    once = -np.expm1(-c * x) / c if c else x
    return d * chi / (32 * gamma) * STEP * float(np.sum(x * once * _propagator(d, x)))


def current_correlation(
    medium: Chain | Crystal, noise: Noise | PairRotation, times: ArrayLike
) -> NDArray[np.float64]:
    r"""The correlation of the energy current, :math:`C(t)/T^2 = \int v(k)^2 e^{-\phi(k) t}\, dk`.

    Of a crystal it is :math:`d \int v_1(k)^2 e^{-\phi(k) t}\, dk`, of the current along one axis.

    Parameters
    ----------
    medium, noise
        As in `conductivity`, which is the integral of C over all t ≥ 0.
    times : array_like
        Times, not negative.

    Returns
    -------
    array
        In the shape of `times`, to a relative 1e-12.

    Raises
    ------
    ValueError
        As in `conductivity`, or if there is no time, one that is negative or above 1e15, or too many.

    Notes
    -----
    Basile, Olla and Spohn, eq. (72).
    """
    (d, chi, pin, gamma), times = setting(medium, noise), _times(times)
    c = pin / (4 * chi)
    if d > 1:
        start, x = 8 * gamma * times[..., None], np.exp(LOGARITHMS)
        work("times", times, 4.0 * times.size * x.size, MOST)
        return d * chi / 4 * STEP * (_propagator(d, start + x) @ (x * np.exp(-c * x)))
    s, one_minus_s, weight = zone()
    work("times", times, 2.0 * times.size * s.size, MOST)
    square = 4 * chi**2 * one_minus_s * (s / (pin + 4 * chi * s))
    decay = np.exp(-times[..., None] * rate_at(noise, s))
    return decay @ (2 * weight * square)  # both halves of the zone


def tail(medium: Chain | Crystal, noise: VelocityExchange | ThreeSiteRotation | PairRotation) -> Tail:
    r"""The long-time limit of `current_correlation` for noise that keeps the momentum.

    Only long waves are left.  In a chain their speed is :math:`\sqrt\chi` without a pin and
    :math:`v \simeq 2\pi\chi k/\omega_0` with one, and :math:`\phi \simeq 4\pi^2\gamma k^2` with either
    noise:

    .. math:: \frac{C(t)}{T^2} \simeq \frac{\chi}{\sqrt{4\pi\gamma t}}, \qquad
        \frac{C(t)}{T^2} \simeq \frac{\chi^2}{2\omega_0^2 \gamma t} \frac1{\sqrt{4\pi\gamma t}}.

    In a crystal :math:`\phi \simeq 8\pi^2\gamma k^2`, and without and with a pin

    .. math:: \frac{C(t)}{T^2} \simeq \frac{\chi}{(8\pi\gamma t)^{d/2}}, \qquad
        \frac{C(t)}{T^2} \simeq \frac{d\chi^2}{4\omega_0^2\gamma t} \frac1{(8\pi\gamma t)^{d/2}}.

    The relative correction is of order :math:`1/\gamma t`, with a weak pin :math:`\chi/\omega_0^2\gamma t`.

    Parameters
    ----------
    medium, noise
        As in `conductivity`, but for flips.

    Returns
    -------
    Tail

    Raises
    ------
    ValueError
        As in `conductivity`, or if the rate is 0.
    """
    d, chi, pin, gamma = setting(medium, noise, KEEPING, zero=False)
    if d == 1:
        if pin == 0:
            return Tail(-0.5, chi / math.sqrt(4 * math.pi * gamma))
        return Tail(-1.5, chi**2 / (2 * pin * gamma) / math.sqrt(4 * math.pi * gamma))
    exponent, size = (-d / 2, chi) if pin == 0 else (-d / 2 - 1, d * chi**2 / (4 * pin * gamma))
    return Tail(exponent, size / (8 * math.pi * gamma) ** (d / 2))
