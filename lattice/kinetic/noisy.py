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

Stiffnesses, pins, rates and times are 0 or from 1e-60 to 1e60: products of a few of them are still numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.special
from numpy.typing import ArrayLike, NDArray

from .._check import instance, integer, number, reals, shown, work
from ..chain import Chain
from ..noise import ThreeSiteRotation, VelocityExchange, VelocityFlip
from ..waves import wave_numbers

__all__ = [
    "Tail",
    "collision_matrix",
    "conductivity",
    "conductivity_lattice",
    "current_correlation",
    "current_correlation_lattice",
    "isolated_eigenvalue",
    "kernel",
    "pair_kernel",
    "pair_rate",
    "rate",
    "tail",
    "tail_lattice",
]

Noise = VelocityFlip | VelocityExchange | ThreeSiteRotation  # those that act on the momenta


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


SMALLEST, LARGEST = 1e-60, 1e60  # what a stiffness, a rate or a time may be, if it is not 0
MOST = 4e8  # numbers in an array: 3 GB


def _scale(name: str, value: object, *, zero: bool = False) -> float:
    """A number between SMALLEST and LARGEST, or 0 if that is allowed."""
    found = number(name, value)
    if not (SMALLEST <= found <= LARGEST or (zero and found == 0)):
        also = "0 or " if zero else ""
        raise ValueError(f"{name} = {shown(value)}; allowed: {also}a number from {SMALLEST:g} to {LARGEST:g}")
    return found


def _strength(noise: Noise, *, zero: bool = True) -> float:
    """The rate of a noise that acts on the momenta, checked."""
    instance("noise", noise, Noise, "a VelocityFlip, a VelocityExchange or a ThreeSiteRotation")
    return _scale("noise.rate", noise.rate, zero=zero)


def _sine_squared(name: str, k: ArrayLike) -> NDArray[np.float64]:
    return np.sin(np.pi * np.fmod(reals(name, k), 1.0)) ** 2


def _together(k: NDArray, k_prime: NDArray) -> None:
    """Refuse wave numbers that do not fit together or make too large an array."""
    try:
        shape = np.broadcast_shapes(k.shape, k_prime.shape)
    except ValueError:
        shapes = f"k and k_prime have shapes {k.shape} and {k_prime.shape}"
        raise ValueError(f"{shapes}; allowed: what broadcasts together") from None
    work("k_prime", k_prime, 4.0 * math.prod(shape), MOST)  # four of them at a time


def kernel(noise: Noise, k: ArrayLike, k_prime: ArrayLike) -> NDArray[np.float64]:
    r"""The density of jumps from k to k', :math:`R(k, k')`, the rate of the noise included.

    With :math:`s = \sin^2 \pi k` and :math:`s' = \sin^2 \pi k'`, for noise at the rate γ:

    * flips: :math:`R = 2\gamma`, of rank 1.  Correlations of two different momenta decay at
      4γ and :math:`p_j^2` stays, so :math:`G = 4\gamma`;
    * exchange: :math:`R = 8\gamma\, s s'`, of rank 1.  With :math:`u = e_j - e_{j+1}` the exchange is
      :math:`1 - u u^\top`; of the change of :math:`p p^\top` only :math:`u u^\top (u^\top p)^2`
      is a gain, and :math:`|\hat u(k)|^2 = 4 s`;
    * rotation of three: :math:`R = \frac{32}{3} \gamma\, s s' \bigl(s (1 - s') + s' (1 - s)\bigr)`,
      of rank 2, which is eq. (23) of Basile, Olla and Spohn in factors.

    Parameters
    ----------
    noise : VelocityFlip, VelocityExchange or ThreeSiteRotation
        The noise and its rate.
    k, k_prime : array_like
        Wave numbers; the two are broadcast against each other.

    Raises
    ------
    ValueError
        If the noise is another one, a wave number not finite, or there are more than 1e8 pairs of them.

    Notes
    -----
    R is symmetric and not negative.  That of the rotation vanishes if k or k' is 0, and
    also at k = k' = 1/2.
    """
    gamma, s, s_prime = _strength(noise), _sine_squared("k", k), _sine_squared("k_prime", k_prime)
    _together(s, s_prime)
    if isinstance(noise, VelocityFlip):
        return np.full(np.broadcast_shapes(s.shape, s_prime.shape), 2 * gamma)
    if isinstance(noise, VelocityExchange):
        return 8 * gamma * s * s_prime
    return 32 / 3 * gamma * s * s_prime * (s * (1 - s_prime) + s_prime * (1 - s))


def rate(noise: Noise, k: ArrayLike) -> NDArray[np.float64]:
    r"""The total rate of jumps, :math:`\phi(k) = \int_0^1 R(k, k')\, dk'`, the rate of the noise included.

    With :math:`s = \sin^2 \pi k`: 2γ for flips, :math:`4\gamma s` for the exchange and
    :math:`\frac43 \gamma s (3 - 2 s)` for the rotation (Basile, Olla and Spohn, eqs. (26) and (31)).
    It is also the rate at which the mean momentum of a wave decays.

    Parameters and errors as in `kernel`.
    """
    return _rate(noise, _sine_squared("k", k))


def _rate(noise: Noise, s: NDArray[np.float64]) -> NDArray[np.float64]:
    """φ where sin² πk is s."""
    gamma = _strength(noise)
    if isinstance(noise, VelocityFlip):
        return np.full(s.shape, 2 * gamma)
    if isinstance(noise, VelocityExchange):
        return 4 * gamma * s
    return 4 / 3 * gamma * s * (3 - 2 * s)


def collision_matrix(noise: Noise, n: int) -> NDArray[np.float64]:
    r"""The collision operator on the n wave numbers of `wave_numbers`, shape (n, n).

    Entry (a, b) is :math:`R(k_a, k_b)/n - \phi(k_a) \delta_{ab}`: symmetric, with rows that sum to 0,
    since n ≥ 3 points integrate these kernels exactly.

    Raises
    ------
    ValueError
        If n is not an integer from 3 to 10,000, or the noise is not one of `kernel`.
    """
    k = wave_numbers(integer("n", n, least=3, most=10_000))
    return kernel(noise, k[:, None], k) / n - np.diag(rate(noise, k))


def isolated_eigenvalue(noise: ThreeSiteRotation) -> float:
    r"""The isolated eigenvalue of the collision operator, :math:`-\frac65 (\sqrt6 - 1)\, \gamma`.

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
    return -1.2 * (math.sqrt(6) - 1) * _strength(noise)


def _medium(chain: Chain) -> tuple[float, float]:
    """Stiffness χ > 0 of the bonds and ω₀² ≥ 0 of the pins of a uniform harmonic chain."""
    instance("chain", chain, Chain, "a Chain")
    if not (chain.is_harmonic and chain.is_uniform and chain.bond.chi > 0 and chain.pin.chi >= 0):
        raise ValueError(
            "chain is not a uniform harmonic one; allowed: bonds with one positive chi, "
            "pins with one chi, not negative"
        )
    return _scale("chain.bond.chi", chain.bond.chi), _scale("chain.pin.chi", chain.pin.chi, zero=True)


def conductivity(chain: Chain, noise: Noise) -> float:
    r"""The conductivity of the phonons, :math:`\kappa = \int_0^1 v(k)^2/\phi(k)\, dk`, in closed form.

    With :math:`D = \sqrt{1 + 4\chi/\omega_0^2}`:

    .. math::

        \kappa_{\text{flip}} &= \frac{(\sqrt{\omega_0^2 + 4\chi} - \omega_0)^2}{16\gamma}, \\
        \kappa_{\text{exchange}} &= \frac{\chi}{4\gamma} (D - 1), \\
        \kappa_{\text{rotation}} &= \frac{3\chi^2 \bigl(D - 1/\sqrt3\bigr)}{2\gamma (\omega_0^2 + 6\chi)}.

    Parameters
    ----------
    chain : Chain
        Uniform and harmonic, with positive stiffness.
    noise : VelocityFlip, VelocityExchange or ThreeSiteRotation
        The noise and its rate.

    Returns
    -------
    float
        κ; ``math.inf`` without noise, and without a pin if the noise keeps the momentum: the
        integral diverges at k = 0, where φ vanishes and v does not.

    Raises
    ------
    ValueError
        If the chain is not uniform and harmonic or the noise is not one of `kernel`.

    Notes
    -----
    Basile, Olla and Spohn, eq. (74), where the rotation has the rate γ.  This is the leading
    order for weak noise; the current that the noise itself carries is not in it.
    """
    (chi, pin), gamma = _medium(chain), _strength(noise)
    if gamma == 0:
        return math.inf
    if isinstance(noise, VelocityFlip):
        # sqrt(ω₀² + 4χ) - ω₀ without cancellation
        return (chi / (math.sqrt(pin + 4 * chi) + math.sqrt(pin))) ** 2 / gamma
    if pin == 0:
        return math.inf
    ratio = 4 * chi / pin
    root = math.sqrt(1 + ratio)
    if isinstance(noise, VelocityExchange):
        return chi * ratio / ((root + 1) * 4 * gamma)
    return 1.5 * chi**2 * (root - 1 / math.sqrt(3)) / (gamma * (pin + 6 * chi))


STEP = 0.2  # of the trapezoidal rule in a logarithm, and
REACH = 80.0  # how far it goes beyond the scales of the integrand


def _exponents(smallest: float, largest: float) -> NDArray[np.float64]:
    r"""Nodes in :math:`y = \ln x` for integrands that change between two scales and decay beyond.

    The trapezoidal rule in y has an error of order :math:`e^{-\pi^2/h}` at the step h, if x may turn by a
    right angle in the complex plane: round-off.  What decays like :math:`e^{-|y|/2}` is gone after 80.
    """
    first, last = (math.log(smallest) - REACH) / STEP, (math.log(largest) + REACH) / STEP
    return STEP * np.arange(math.floor(first), math.ceil(last))  # a start off the grid would cost digits


def _zone(scales: list[float]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    r"""Nodes and weights for integrals over 0 < k < ½ that change at these scales of s = sin² πk.

    Returns s, 1 - s and the weights.  With :math:`s = e^y/(1 + e^y)`,
    :math:`dk = \sqrt{s(1 - s)}\, dy/2\pi`.
    """
    y = _exponents(min(scales), max(scales))
    s, one_minus_s = scipy.special.expit(y), scipy.special.expit(-y)
    return s, one_minus_s, np.sqrt(s * one_minus_s) * STEP / (2 * math.pi)


def _times(times: ArrayLike) -> NDArray[np.float64]:
    """Times in any shape and order, checked."""
    found = reals("times", times)
    if found.min() < 0 or found.max() > LARGEST:
        raise ValueError(f"times = {shown(times)}; allowed: numbers from 0 to {LARGEST:g}")
    return found


def current_correlation(chain: Chain, noise: Noise, times: ArrayLike) -> NDArray[np.float64]:
    r"""The correlation of the energy current, :math:`C(t)/T^2 = \int_0^1 v(k)^2 e^{-\phi(k) t}\, dk`.

    Parameters
    ----------
    chain, noise
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
        As in `conductivity`, or if there is no time, one that is negative or above 1e60, or too many.

    Notes
    -----
    Basile, Olla and Spohn, eq. (72).
    """
    (chi, pin), gamma, times = _medium(chain), _strength(noise), _times(times)
    scales = [1.0, 1 / (1 + gamma * times.max())] + ([pin / (4 * chi)] if pin else [])
    s, one_minus_s, weight = _zone(scales)
    work("times", times, 2.0 * times.size * s.size, MOST)
    square = 4 * chi**2 * one_minus_s * (s / (pin + 4 * chi * s))
    decay = np.exp(-times[..., None] * _rate(noise, s))
    return decay @ (2 * weight * square)  # both halves of the zone


def tail(chain: Chain, noise: VelocityExchange | ThreeSiteRotation) -> Tail:
    r"""The long-time limit of `current_correlation` for noise that keeps the momentum.

    Only long waves are left, for which :math:`\phi \simeq 4\pi^2\gamma k^2` with either noise.  Without a
    pin their speed is :math:`\sqrt\chi`; with one, :math:`v \simeq 2\pi\chi k/\omega_0`:

    .. math:: \frac{C(t)}{T^2} \simeq \frac{\chi}{\sqrt{4\pi\gamma t}}, \qquad
        \frac{C(t)}{T^2} \simeq \frac{\chi^2}{2\omega_0^2 \gamma t} \frac1{\sqrt{4\pi\gamma t}}.

    The relative correction is of order :math:`1/\gamma t`, with a weak pin :math:`\chi/\omega_0^2\gamma t`.

    Raises
    ------
    ValueError
        If the chain is not uniform and harmonic, or the noise another one or of rate 0.
    """
    chi, pin = _medium(chain)
    kinds = VelocityExchange | ThreeSiteRotation
    instance("noise", noise, kinds, "a VelocityExchange or a ThreeSiteRotation")
    gamma = _strength(noise, zero=False)
    if pin == 0:
        return Tail(-0.5, chi / math.sqrt(4 * math.pi * gamma))
    return Tail(-1.5, chi**2 / (2 * pin * gamma) / math.sqrt(4 * math.pi * gamma))


def _vectors(name: str, k: ArrayLike) -> NDArray[np.float64]:
    """sin² πk of wave vectors in two or more dimensions."""
    s = _sine_squared(name, k)
    if s.ndim == 0 or s.shape[-1] < 2:
        raise ValueError(f"{name} has shape {s.shape}; allowed: (..., d) with d of at least 2")
    return s


def pair_kernel(k: ArrayLike, k_prime: ArrayLike) -> NDArray[np.float64]:
    r"""The kernel in d ≥ 2, :math:`R(k, k') = 16 \sum_l \sin^2 \pi k_l \sin^2 \pi k'_l`, at rate 1.

    The noise turns the relative momentum of neighbouring sites; a jump from k to k' takes a
    phonon to each of the d - 1 other polarisations with density R/(d - 1).

    Parameters
    ----------
    k, k_prime : (..., d) array_like
        Wave vectors, broadcast against each other.

    Raises
    ------
    ValueError
        If the last axes differ or have fewer than 2 entries, or as in `kernel`.

    Notes
    -----
    Basile, Olla and Spohn, eqs. (48), (59) and (60).  One pair turns its relative momentum u so that
    :math:`S u = -4u`, hence :math:`S p = 2 \Delta p`; the rank of R is d.
    """
    s, s_prime = _vectors("k", k), _vectors("k_prime", k_prime)
    if s.shape[-1] != s_prime.shape[-1]:
        raise ValueError(f"k and k_prime have shapes {s.shape} and {s_prime.shape}; allowed: (..., d), one d")
    _together(s, s_prime)
    return 16 * (s * s_prime).sum(axis=-1)


def pair_rate(k: ArrayLike) -> NDArray[np.float64]:
    r"""The total rate of jumps in d ≥ 2, :math:`\phi(k) = 8 \sum_l \sin^2 \pi k_l`, at rate 1.

    Eq. (62) of Basile, Olla and Spohn; parameter and errors as in `pair_kernel`.
    """
    return 8 * _vectors("k", k).sum(axis=-1)


def _lattice(d: int, chi: float, pin: float, rate: float) -> tuple[int, float, float, float]:
    """The arguments of the functions in d dimensions, checked."""
    d = integer("d", d, least=2, most=100)
    return d, _scale("chi", chi), _scale("pin", pin, zero=True), _scale("rate", rate, zero=True)


def _propagator(d: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
    r""":math:`\int \sin^2(2\pi k_1)\, e^{-x \sum_l \sin^2 \pi k_l}\, dk` over d dimensions, for x > 0."""
    return 2 * scipy.special.i1e(x / 2) / x * scipy.special.i0e(x / 2) ** (d - 1)


def conductivity_lattice(d: int, *, chi: float = 1.0, pin: float = 0.0, rate: float = 1.0) -> float:
    r"""What the springs of the cubic lattice in d ≥ 2 dimensions conduct, all d polarisations together.

    .. math:: \kappa_{11} = d \int \frac{v_1(k)^2}{\gamma \phi(k)}\, dk, \qquad
        \omega(k)^2 = \omega_0^2 + 4\chi \sum_l \sin^2 \pi k_l,

    with the noise of `pair_kernel` at the rate γ.  The noise itself conducts dγ more: a pair of neighbours
    passes on :math:`\gamma(|p_y|^2 - |p_z|^2)` on average.

    Parameters
    ----------
    d : int
        Dimension, 2 to 100.
    chi, pin : float
        Stiffness χ > 0 and pinning :math:`\omega_0^2`.
    rate : float
        The rate γ of the noise.

    Returns
    -------
    float
        κ₁₁ to a relative 1e-12; ``math.inf`` without noise, and in two dimensions without a pin.

    Raises
    ------
    ValueError
        If an argument is not as above.

    Notes
    -----
    Basile, Olla and Spohn, eq. (74).  With :math:`c = \omega_0^2/4\chi` and both denominators written
    as integrals of exponentials, the integral over k factorises into Bessel functions,

    .. math:: \kappa_{11} = \frac{d\chi}{32\gamma} \int_0^\infty \frac{1 - e^{-cx}}{c}\,
        \frac{I_1(x/2)}{x/2}\, I_0(x/2)^{d-1} e^{-dx/2}\, dx,

    and no singularity at k = 0 is left.  Without a pin it is :math:`(u - 1)\chi/8\gamma`, where u is
    the mean number of visits of a simple random walk to where it starts.
    """
    d, chi, pin, rate = _lattice(d, chi, pin, rate)
    if rate == 0 or (pin == 0 and d == 2):
        return math.inf
    c = pin / (4 * chi)

    x = np.exp(_exponents(min(1.0, 1 / c if c else 1.0), max(1.0, 1 / c if c else 1.0)))
    once = -np.expm1(-c * x) / c if c else x
    return d * chi / (32 * rate) * STEP * float(np.sum(x * once * _propagator(d, x)))


def current_correlation_lattice(
    d: int, times: ArrayLike, *, chi: float = 1.0, pin: float = 0.0, rate: float = 1.0
) -> NDArray[np.float64]:
    r"""The current correlation for d ≥ 2, :math:`C(t)/T^2 = d \int v_1(k)^2 e^{-\gamma\phi(k) t}\, dk`.

    Parameters
    ----------
    d, chi, pin, rate
        As in `conductivity_lattice`, which is the integral of C over all t ≥ 0.
    times : array_like
        Times, not negative.

    Returns
    -------
    array
        In the shape of `times`, to a relative 1e-12.

    Raises
    ------
    ValueError
        As in `conductivity_lattice`, or if there is no time, one that is negative or above 1e60, or too many.
    """
    d, chi, pin, rate = _lattice(d, chi, pin, rate)
    times = _times(times)
    c = pin / (4 * chi)
    start = 8 * rate * times[..., None]
    scales = [1.0, 1 + start.max()] + ([1 / c] if c else [])
    x = np.exp(_exponents(min(scales), max(scales)))
    work("times", times, 4.0 * times.size * x.size, MOST)
    return d * chi / 4 * STEP * (_propagator(d, start + x) @ (x * np.exp(-c * x)))


def tail_lattice(d: int, *, chi: float = 1.0, pin: float = 0.0, rate: float = 1.0) -> Tail:
    r"""The long-time limit of `current_correlation_lattice`.

    Long waves, for which :math:`\phi \simeq 8\pi^2 k^2`, give without and with a pin

    .. math:: \frac{C(t)}{T^2} \simeq \frac{\chi}{(8\pi\gamma t)^{d/2}}, \qquad
        \frac{C(t)}{T^2} \simeq \frac{d\chi^2}{4\omega_0^2\gamma t} \frac1{(8\pi\gamma t)^{d/2}}.

    Raises
    ------
    ValueError
        As in `conductivity_lattice`, or if the rate is 0, or the prefactor is beyond the floats.
    """
    d, chi, pin, rate = _lattice(d, chi, pin, _scale("rate", rate))
    exponent, size = (-d / 2, chi) if pin == 0 else (-d / 2 - 1, d * chi**2 / (4 * pin * rate))
    logarithm = math.log(size) - d / 2 * math.log(8 * math.pi * rate)
    if abs(logarithm) > 700:
        raise ValueError(f"rate = {rate:g} and d = {d} have a prefactor of e^{logarithm:.0f}; allowed: ±700")
    return Tail(exponent, math.exp(logarithm))
