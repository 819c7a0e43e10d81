"""What `kinetic` knows of a noise, and of the media that it acts in: here and nowhere else.

The functions without an underscore in their names that `noisy` exports are public.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._check import instance, integer, number, reals, shown, work
from .._kernels.flights import B00, B10, B11_OR_B20
from ..chain import Bond, Chain
from ..crystal import Crystal
from ..noise import PairRotation, ThreeSiteRotation, VelocityExchange, VelocityFlip
from ..waves import wave_numbers

Noise = VelocityFlip | VelocityExchange | ThreeSiteRotation  # those of chains that act on the momenta
KEEPING = VelocityExchange | ThreeSiteRotation  # and keep the total momentum

SMALLEST, LARGEST = 1e-15, 1e15  # what a stiffness, a rate or a time may be, if it is not 0
MOST = 4e8  # numbers in an array: 3 GB


@dataclass(frozen=True)
class _Law:
    r"""How a noise of a chain scatters phonons, with s = sin² πk.

    Attributes
    ----------
    kernel : callable
        R(k, k') of the rate γ, s and s'.
    loss : tuple
        (A, B, b, c) of the rate of jumps :math:`\phi = \gamma (A + B s) (b - c s)`.
    powers, gains : tuples
        R as a sum of products, :math:`R = \gamma \sum_{ab} G_{ab}\, s^a s'^b`.
    after : int
        The density of k' after a jump, as the kernel of flights calls it.
    conductivity : callable
        ∫v²/φ dk of χ, ω₀² > 0 and γ; without a pin infinite, unless φ does not vanish at k = 0.
    """

    kernel: Callable[[float, NDArray, NDArray], NDArray]
    loss: tuple[float, float, float, float]
    powers: tuple[int, ...]
    gains: tuple[tuple[float, ...], ...]
    after: int
    conductivity: Callable[[float, float, float], float]


_LAWS = {
    VelocityFlip: _Law(
        lambda rate, s, other: np.full(np.broadcast_shapes(s.shape, other.shape), 2 * rate),
        loss=(2.0, 0.0, 1.0, 0.0),
        powers=(0,),
        gains=((2.0,),),
        after=B00,
        # sqrt(ω₀² + 4χ) - ω₀ without cancellation
        conductivity=lambda chi, pin, rate: (chi / (math.sqrt(pin + 4 * chi) + math.sqrt(pin))) ** 2 / rate,
    ),
    VelocityExchange: _Law(
        lambda rate, s, other: 8 * rate * s * other,
        loss=(0.0, 4.0, 1.0, 0.0),
        powers=(1,),
        gains=((8.0,),),
        after=B10,
        conductivity=lambda chi, pin, rate: chi**2 / (pin * (math.sqrt(1 + 4 * chi / pin) + 1) * rate),
    ),
    ThreeSiteRotation: _Law(
        lambda rate, s, other: 32 / 3 * rate * s * other * (s * (1 - other) + other * (1 - s)),
        loss=(0.0, 4 / 3, 3.0, 2.0),
        powers=(1, 2),
        gains=((0.0, 32 / 3), (32 / 3, -64 / 3)),
        after=B11_OR_B20,
        conductivity=lambda chi, pin, rate: (
            1.5 * chi**2 * (math.sqrt(1 + 4 * chi / pin) - 1 / math.sqrt(3)) / (rate * (pin + 6 * chi))
        ),
    ),
}


def scale(name: str, value: object, *, zero: bool = False) -> float:
    """A number between SMALLEST and LARGEST, or 0 if that is allowed."""
    found = number(name, value)
    if not (SMALLEST <= found <= LARGEST or (zero and found == 0)):
        also = "0 or " if zero else ""
        raise ValueError(f"{name} = {shown(value)}; allowed: {also}a number from {SMALLEST:g} to {LARGEST:g}")
    return found


def strength(noise: Noise | PairRotation, kinds: type = Noise, *, zero: bool = True) -> float:
    """The rate of a noise of these kinds, checked."""
    *first, last = (f"a {kind.__name__}" for kind in getattr(kinds, "__args__", (kinds,)))
    instance("noise", noise, kinds, " or ".join(filter(None, [", ".join(first), last])))
    return scale("noise.rate", noise.rate, zero=zero)


def medium_of(chain: Chain) -> tuple[float, float]:
    """Stiffness χ > 0 of the bonds and ω₀² ≥ 0 of the pins of a uniform harmonic chain."""
    instance("chain", chain, Chain, "a Chain")
    if not (chain.is_harmonic and chain.is_uniform and chain.bond.chi > 0 and chain.pin.chi >= 0):
        raise ValueError(
            "chain is not a uniform harmonic one; allowed: bonds with one positive chi, "
            "pins with one chi, not negative"
        )
    return scale("chain.bond.chi", chain.bond.chi), scale("chain.pin.chi", chain.pin.chi, zero=True)


def setting(
    medium: Chain | Crystal, noise: Noise | PairRotation, kinds: type = Noise, *, zero: bool = True
) -> tuple[int, float, float, float]:
    """Dimension, χ, ω₀² and γ of a chain with a noise of these kinds, or of a crystal with a PairRotation."""
    if isinstance(instance("medium", medium, (Chain, Crystal), "a Chain or a Crystal"), Chain):
        return 1, *medium_of(medium), strength(noise, kinds, zero=zero)
    whole = medium.is_scalar and medium.components == medium.d
    if medium.d < 2 or not isinstance(medium.bond, Bond) or not whole:
        raise ValueError(
            f"medium = {shown(medium)}; allowed: a scalar crystal in 2 or 3 dimensions, with as many "
            "components, and bonds between nearest neighbours alone"
        )
    chi, pin = scale("bond.chi", medium.bond.chi), scale("pin.chi", medium.pin.chi, zero=True)
    return medium.d, chi, pin, strength(noise, PairRotation, zero=zero)


def sine_squared(name: str, k: ArrayLike, noise: Noise | PairRotation | None = None) -> NDArray[np.float64]:
    """sin² πk of wave numbers; of wave vectors, the last axis, if the noise is that of a crystal."""
    s = np.sin(np.pi * np.fmod(reals(name, k), 1.0)) ** 2
    if isinstance(noise, PairRotation) and (s.ndim == 0 or s.shape[-1] < 2):
        raise ValueError(f"{name} has shape {s.shape}; allowed: (..., d) with d of at least 2")
    return s


def _together(k: NDArray, k_prime: NDArray, *, components: bool) -> None:
    """Refuse wave numbers, or vectors, that do not fit together or make too large an array."""
    try:
        shape = np.broadcast_shapes(k.shape, k_prime.shape)
    except ValueError:
        shape = None
    if shape is None or (components and k.shape[-1] != k_prime.shape[-1]):
        raise ValueError(
            f"k and k_prime have shapes {k.shape} and {k_prime.shape}; allowed: what broadcasts together"
            + components * ", (..., d) with one d"
        )
    work("k_prime", k_prime, 4.0 * math.prod(shape), MOST)  # four of them at a time


def kernel(noise: Noise | PairRotation, k: ArrayLike, k_prime: ArrayLike) -> NDArray[np.float64]:
    r"""The density of jumps from k to k', :math:`R(k, k')`, the rate of the noise included.

    With :math:`s = \sin^2 \pi k` and :math:`s' = \sin^2 \pi k'`, for noise at the rate γ:

    * flips: :math:`R = 2\gamma`, of rank 1.  Correlations of two different momenta decay at
      4γ and :math:`p_j^2` stays, so :math:`G = 4\gamma`;
    * exchange: :math:`R = 8\gamma\, s s'`, of rank 1.  With :math:`u = e_j - e_{j+1}` the exchange is
      :math:`1 - u u^\top`; of the change of :math:`p p^\top` only :math:`u u^\top (u^\top p)^2`
      is a gain, and :math:`|\hat u(k)|^2 = 4 s`;
    * rotation of three: :math:`R = \frac{32}{3} \gamma\, s s' \bigl(s (1 - s') + s' (1 - s)\bigr)`,
      of rank 2, which is eq. (23) of Basile, Olla and Spohn in factors;
    * rotation of pairs, in d ≥ 2 dimensions with :math:`s_l = \sin^2 \pi k_l`:
      :math:`R = 16\gamma \sum_l s_l s'_l`, of rank d, eq. (60).  A jump from k to k' takes a phonon to each
      of the d - 1 other polarisations with density R/(d - 1).  One pair turns its relative momentum u so
      that :math:`S u = -4u`, hence :math:`S p = 2 \Delta p`.

    Parameters
    ----------
    noise : VelocityFlip, VelocityExchange, ThreeSiteRotation or PairRotation
        The noise and its rate.
    k, k_prime : array_like
        Wave numbers; with a PairRotation wave vectors (..., d).  The two are broadcast against each other.

    Returns
    -------
    array
        R, in the shape of both together, without the axis of the components.

    Raises
    ------
    ValueError
        If the noise is another one, a wave number not finite, k and k_prime do not fit together, or there are
        more than 1e8 pairs of them.

    Notes
    -----
    R is symmetric and not negative.  That of the rotation vanishes if k or k' is 0, and
    also at k = k' = 1/2.
    """
    gamma = strength(noise, Noise | PairRotation)
    s, other = sine_squared("k", k, noise), sine_squared("k_prime", k_prime, noise)
    pairs = isinstance(noise, PairRotation)
    _together(s, other, components=pairs)
    if pairs:
        return 16 * gamma * (s * other).sum(axis=-1)
    return _LAWS[type(noise)].kernel(gamma, s, other)


def rate(noise: Noise | PairRotation, k: ArrayLike) -> NDArray[np.float64]:
    r"""The total rate of jumps, :math:`\phi(k) = \int R(k, k')\, dk'`, the rate of the noise included.

    With :math:`s = \sin^2 \pi k`: 2γ for flips, :math:`4\gamma s` for the exchange and
    :math:`\frac43 \gamma s (3 - 2 s)` for the rotation (Basile, Olla and Spohn, eqs. (26) and (31)); for the
    rotation of pairs :math:`8\gamma \sum_l \sin^2 \pi k_l` (62).
    It is also the rate at which the mean momentum of a wave decays.

    Parameters
    ----------
    noise, k
        As in `kernel`.

    Returns
    -------
    array
        φ, in the shape of k, without the axis of the components.

    Raises
    ------
    ValueError
        As `kernel` does.
    """
    gamma, s = strength(noise, Noise | PairRotation), sine_squared("k", k, noise)
    return 8 * gamma * s.sum(axis=-1) if isinstance(noise, PairRotation) else rate_at(noise, s)


def rate_at(noise: Noise, s: NDArray[np.float64]) -> NDArray[np.float64]:
    """φ where sin² πk is s."""
    A, B, b, c = _LAWS[type(noise)].loss
    return (A * noise.rate + B * noise.rate * s) * (b - c * s)


def conductivity_of(noise: Noise, chi: float, pin: float) -> float:
    """∫v²/φ dk over the zone of a chain."""
    law = _LAWS[type(noise)]
    if noise.rate == 0 or (pin == 0 and law.loss[0] == 0):
        return math.inf
    return law.conductivity(chi, pin, noise.rate)


def factors(noise: Noise, s: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Functions u_a(k), shape (rank, …), and the matrix G with R(k, k') = Σ u_a(k) G_ab u_b(k')."""
    law = _LAWS[type(noise)]
    return np.stack([s**power for power in law.powers]), noise.rate * np.array(law.gains)


def jumps(noise: Noise) -> tuple[float, float, float, float, int]:
    """The law of the jumps as the kernel of flights takes it."""
    law = _LAWS[type(noise)]
    A, B, b, c = law.loss
    return A * noise.rate, B * noise.rate, b, c, law.after


def collision_matrix(noise: Noise, n: int) -> NDArray[np.float64]:
    r"""The collision operator on the n wave numbers of `wave_numbers`, shape (n, n).

    Entry (a, b) is :math:`R(k_a, k_b)/n - \phi(k_a) \delta_{ab}`: symmetric, with rows that sum to 0,
    since n ≥ 3 points integrate these kernels exactly.

    Parameters
    ----------
    noise : VelocityFlip, VelocityExchange or ThreeSiteRotation
        The noise and its rate.
    n : int
        Number of wave numbers.

    Returns
    -------
    (n, n) array

    Raises
    ------
    ValueError
        If n is not an integer from 3 to 10,000, or the noise is not one of a chain.
    """
    strength(noise)
    k = wave_numbers(integer("n", n, least=3, most=10_000))
    return kernel(noise, k[:, None], k) / n - np.diag(rate(noise, k))


def isolated_eigenvalue(noise: ThreeSiteRotation) -> float:
    r"""The isolated eigenvalue of the collision operator, :math:`-\frac65 (\sqrt6 - 1)\, \gamma`.

    Parameters
    ----------
    noise : ThreeSiteRotation
        Gives γ.

    Returns
    -------
    float
        Below 0, in proportion to γ.

    Raises
    ------
    ValueError
        If the noise is not a ThreeSiteRotation.

    Notes
    -----
    The continuous spectrum is the range of :math:`-\phi`, from :math:`-\frac32 \gamma` to 0; the constant
    function, at 0, is its edge.  An eigenvalue :math:`-\mu` outside solves
    :math:`(\phi - \mu) f = \int R f`, where the right-hand side has rank 2 and one negative
    direction.  The 2 × 2 determinant that must vanish is elementary (a quadratic in :math:`\sin^2 \pi k`
    divides the integrands); eliminating its roots leaves, at γ = 1, :math:`5 \mu^2 + 12 \mu = 36`.
    """
    instance("noise", noise, ThreeSiteRotation, "a ThreeSiteRotation")
    return -1.2 * (math.sqrt(6) - 1) * strength(noise)
