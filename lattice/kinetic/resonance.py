r"""Resonant manifolds: which waves can collide, by roots in closed form and their Jacobians.

A collision keeps the sum of the frequencies and, up to an integer, that of the wave numbers.  The delta
function of the frequencies leaves a factor 1/J at each root; the Jacobian J is a derivative with respect to
:math:`k \in [0, 1)`.  Nothing is broadened, and no root is searched for: squaring a sum of two frequencies
gives a polynomial in a cosine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._check import brief, finite, instance, reals, shown
from ..chain import Chain
from ..crystal import Crystal
from ..waves import dispersion

__all__ = ["FourPhonons", "ThreePhonons", "decay_ranges", "decays", "four_phonons", "fusions"]


@dataclass(frozen=True)
class FourPhonons:
    """Partners of two waves in a collision 1 + 2 → 3 + 4, and the Jacobians.

    Attributes
    ----------
    k2, k4 : array
        Wave numbers in [0, 1), in the common shape of k₁ and k₃.
    jacobian : array
        \\|ω'(k₂) - ω'(k₄)\\|, for integrals over k₂ at fixed k₁ and k₃.
    balance : array
        \\|ω'(k₁) - ω'(k₃)\\|, for integrals over k₁ at fixed k₂ and k₄.
    """

    k2: NDArray[np.float64]
    k4: NDArray[np.float64]
    jacobian: NDArray[np.float64]
    balance: NDArray[np.float64]
    __repr__ = brief


@finite
def four_phonons(chain: Chain, k1: ArrayLike, k3: ArrayLike) -> FourPhonons:
    r"""The one collision k₁ + k₂ → k₃ + k₄ of given k₁ and k₃ in which they are not merely exchanged.

    Parameters
    ----------
    chain : Chain
        Uniform, with a positive stiffness χ and a pin ω₀² ≥ 0; its other terms do not matter.
    k1, k3 : array_like
        Wave numbers of shapes that fit together.

    Returns
    -------
    FourPhonons

    Raises
    ------
    ValueError
        If the chain is not as stated, a wave number is not finite, the shapes do not fit, or without a pin a
        wave number is an integer, where the frequency has a kink.

    Notes
    -----
    With :math:`p = k_3 - k_1`, :math:`K = k_1 + k_3`, :math:`\Omega = \omega_3 - \omega_1` write
    :math:`k_2 = q + p/2`, :math:`k_4 = q - p/2`.  Squared twice, :math:`\omega_2 - \omega_4 = \Omega` is a
    quadratic equation for cos 2πq.  One root is the exchange, cos πK; the other is

    .. math:: \cos 2\pi q = \frac{\Omega^2 \cos \pi p}{2 \chi \sin^2 \pi p} - \cos \pi K ,

    and sin 2πq has the sign of sin πK.  Both lie in [-1, 1], and neither solves
    :math:`\omega_2 + \omega_4 = |\Omega|`, because the frequency is a norm: ω(k + k') < ω(k) + ω(k').
    With half angles nothing cancels:

    .. math:: \tan^2 \pi q = \cot^2 \frac{\pi K}2 \cdot
              \frac{4 \omega(p/2)^2 - \Omega^2}{4 \omega(p/2 + 1/2)^2 - \Omega^2} .

    The Jacobian is

    .. math::

        &2\pi\chi\, (1/\omega_2 + 1/\omega_4)\, |\sin\pi(k_1 - k_3)| \\
        &\quad \times |\sin\pi(k_2 - k_3) \sin\pi(k_1 + k_2)| ,

    and `balance` has :math:`1/\omega_1 + 1/\omega_3` instead.  They vanish where the collision is an exchange
    too, and at k₁ = k₃.
    """
    instance("chain", chain, Chain, "a Chain")
    low, high = dispersion(chain, [0.0, 0.5])
    if not high > low:
        raise ValueError(f"chain has frequencies from {low} to {high}; allowed: a positive stiffness")
    unit = np.sqrt((high - low) * (high + low)) / 2  # √χ
    pin = (low / unit) ** 2
    ends = []
    for name, k in (("k1", k1), ("k3", k3)):
        k = reals(name, k)
        ends.append(np.mod(k, 1.0))
        if not pin and not (ends[-1] % 1.0).all():
            raise ValueError(f"{name} has integers among its entries; allowed: others, without a pin")
    try:
        k1, k3 = np.broadcast_arrays(*ends)
    except ValueError as error:
        raise ValueError(
            f"k1 has shape {ends[0].shape}, k3 {ends[1].shape}; allowed: shapes that fit together"
        ) from error

    p, total = k3 - k1, k1 + k3
    slopes = [2 * np.sin(np.pi * k) for k in (k1, k3)]
    omegas = [np.hypot(np.sqrt(pin), g) for g in slopes]
    s = sum(omegas)
    # S - g₁ - g₃ and the like are written without subtracting what is nearly the same
    excess = sum(pin / (omega + g) for omega, g in zip(omegas, slopes, strict=True))
    sine, cosine = np.sin(np.pi * total / 2), np.cos(np.pi * total / 2)
    sine_p, cosine_p = np.abs(np.sin(np.pi * p / 2)), np.cos(np.pi * p / 2)
    fold = np.minimum(total, 2 - total)
    edge = np.minimum(np.minimum(k1, k3), 1 - np.maximum(k1, k3))
    apart = 2 * np.sin(np.pi * (fold + np.abs(p)) / 4) * np.sin(np.pi * edge / 2)
    apart = apart + 2 * np.sin(np.pi * (1 - np.abs(p)) / 4) ** 2 * np.abs(cosine)
    sums = 4 * sine * np.abs(cosine)
    first = (excess + 8 * sine * cosine_p * np.sin(np.pi * fold / 4) ** 2) * (s + sums * cosine_p)
    second = (excess + 4 * sine * apart) * (s + sums * sine_p)
    upper = np.sqrt(4 * pin + 16 * sine_p**2 * first / s**2)  # √(4ω(p/2)² - Ω²)
    lower = np.sqrt(4 * pin + 16 * cosine_p**2 * second / s**2)
    q = np.arctan2(cosine * upper, sine * lower) / np.pi

    k2, k4 = (np.mod(q + sign * p / 2, 1.0) % 1.0 for sign in (1, -1))  # twice: -1e-20 would become 1
    sines = np.sin(np.pi * p) * np.sin(np.pi * (q - total / 2)) * np.sin(np.pi * (q + total / 2))
    common = 2 * np.pi * unit * np.abs(sines)
    others = [np.hypot(np.sqrt(pin), 2 * np.sin(np.pi * k)) for k in (k2, k4)]
    # without a pin a partner may have k = 0, up to rounding: there ω' jumps from one bound to the other
    least, most = np.minimum(*others), 4 * np.pi * unit
    inverse = np.where(least > 0, 1 / least + 1 / np.maximum(*others), np.inf)
    jacobian = np.where(least > 0, np.minimum(common * inverse, most), most)
    return FourPhonons(k2, k4, jacobian, common * (1 / omegas[0] + 1 / omegas[1]))


@dataclass(frozen=True)
class ThreePhonons:
    """Collisions L(k) → T(k₁) + T(k₂) of a chain in a plane, all roots in one list.

    Attributes
    ----------
    which : array
        Which of the given wave numbers each root belongs to, an index into them, flattened.
    k, k1, k2 : array
        Wave numbers in [0, 1) of the longitudinal wave and the two transverse ones.
    jacobian : array
        The derivative of the difference of the frequencies by the wave number that was sought.
    """

    which: NDArray[np.int64]
    k: NDArray[np.float64]
    k1: NDArray[np.float64]
    k2: NDArray[np.float64]
    jacobian: NDArray[np.float64]
    __repr__ = brief

    @property
    def umklapp(self) -> NDArray[np.bool_]:
        """Whether k₁ + k₂ is k + 1 and not k; this depends on the choice of [0, 1) as the zone."""
        return self.k1 + self.k2 > self.k + 0.5


@dataclass(frozen=True)
class _Plane:
    """A chain in a plane: stiffnesses and pins of both branches, and their frequencies."""

    chi_l: float
    chi_t: float
    pin_l: float
    pin_t: float

    @classmethod
    def of(cls, crystal: Crystal) -> _Plane:
        instance("crystal", crystal, Crystal, "a Crystal")
        if crystal.d == 1 and crystal.components == 2 and not crystal.is_scalar:
            steps, stiffness = crystal.springs
            (chi_l, chi_t), pins = stiffness[0], crystal.pins
            if len(steps) == 1 and abs(steps[0, 0]) == 1 and chi_l > chi_t > 0:
                return cls(float(chi_l), float(chi_t), float(pins[0]), float(pins[1]))
        raise ValueError(
            f"crystal = {shown(crystal)}; allowed: a chain in a plane, Crystal((n,), {{1: (Bond(chi=along), "
            "Bond(chi=across))}, components=2), the first stiffness larger than the second, which is positive"
        )

    def squared(self, k: NDArray[np.float64]) -> NDArray[np.float64]:
        """ω² of the longitudinal branch."""
        return self.pin_l + 4 * self.chi_l * np.sin(np.pi * k) ** 2

    def across(self, k: NDArray[np.float64]) -> NDArray[np.float64]:
        """ω of the transverse branch."""
        return np.sqrt(self.pin_t + 4 * self.chi_t * np.sin(np.pi * k) ** 2)

    def slopes(self, k: NDArray[np.float64], *, along: bool) -> NDArray[np.float64]:
        """ω' of a branch; of an unpinned one that for k in (0, 1)."""
        chi, pin = (self.chi_l, self.pin_l) if along else (self.chi_t, self.pin_t)
        if pin == 0:
            return 2 * np.pi * np.sqrt(chi) * np.cos(np.pi * np.mod(k, 1.0))
        return 2 * np.pi * chi * np.sin(2 * np.pi * k) / np.sqrt(pin + 4 * chi * np.sin(np.pi * k) ** 2)

    def root(self, k: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray, NDArray, NDArray]:
        """√D, the halves 1 - x and 1 + x of the first root x = cos π(k₁ - k₂), and where it is a decay."""
        s2, c, e2 = np.sin(np.pi * k) ** 2, np.cos(np.pi * k), self.squared(k)
        top, low = np.sqrt(self.pin_t + 4 * self.chi_t), np.sqrt(self.pin_t)
        above = e2 - s2 * (top + low) ** 2
        decays = (above >= 0) & (e2 > 0)
        root = np.sqrt(np.where(decays, above, 0.0) * (e2 - s2 * (top - low) ** 2).clip(0.0))
        # a y² - 2 h y + g = 0 for y = 1 - x and y = 1 + x: of the two roots the one in which nothing cancels
        a = 4 * self.chi_t * s2
        halves = []
        for sign, shift in ((-1, 0.0), (1, 0.5)):
            h = a + sign * c * e2
            g = e2 * (4 * (self.pin_t + 4 * self.chi_t * np.sin(np.pi * (k / 2 + shift)) ** 2) - e2)
            plain = (a > 0) & (sign * h >= 0)
            other = np.where(plain, 1.0, 4 * self.chi_t * (h - sign * root))
            straight = (h + sign * root) / np.where(plain, a, 1.0)
            with np.errstate(over="ignore"):
                product = np.divide(g, other, out=np.full_like(g, -1.0), where=other != 0)
            halves.append(np.where(plain, straight, product))
        return root, *halves, decays & (halves[0] >= 0) & (halves[1] >= 0)

    def sheet(self, k: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray, NDArray, NDArray]:
        """Where the first root is a decay, as indices, and there k₁, k₂ in [0, 1) and the Jacobian."""
        root, minus, plus, found = self.root(k)
        which = np.flatnonzero(found)
        delta = 2 / np.pi * np.arctan2(np.sqrt(minus[which]), np.sqrt(plus[which]))
        pair = [np.mod((k[which] + sign * delta) / 2, 1.0) % 1.0 for sign in (1, -1)]
        product = np.sqrt(self.squared(k[which])) * self.across(pair[0]) * self.across(pair[1])
        bent = 2 * np.pi * self.chi_t * np.sin(np.pi * delta) * root[which]
        return which, *pair, np.divide(bent, product, out=np.zeros_like(bent), where=product > 0)


@finite
def decays(crystal: Crystal, k: ArrayLike) -> ThreePhonons:
    r"""All decays of longitudinal waves into two transverse ones, each once, with k₁ ≥ k₂.

    Parameters
    ----------
    crystal : Crystal
        A chain in a plane, ``Crystal((n,), {1: (Bond(chi=along), Bond(chi=across))}, components=2)``, stiffer
        along than across, with any pins.
    k : array_like
        Wave numbers of the longitudinal waves; each decays in 0, 1 or 2 ways.

    Returns
    -------
    ThreePhonons
        With the Jacobian \|ω_T'(k₁) - ω_T'(k₂)\|, for integrals over k₁ at fixed k.

    Raises
    ------
    ValueError
        If the crystal is another one or a wave number is not finite.

    Notes
    -----
    With :math:`\delta = k_1 - k_2`, s, c = sin, cos πk and E = ω_L(k), the energy squared twice is quadratic
    in cos πδ, with the roots

    .. math:: 4 \chi_T s^2 \cos \pi\delta = c\, E^2 \pm \sqrt{(E^2 - E_+^2)(E^2 - E_-^2)} , \qquad
              E_\pm = s\, (\omega_T(1/2) \pm \omega_T(0)) .

    For E ≥ :math:`E_+` both mean ω₁ + ω₂ = E, for E ≤ :math:`E_-`
    both mean \|ω₁ - ω₂\| = E, and in between there is none.
    Without pins they are :math:`\cos \frac{\pi\delta}2 = \sqrt{\chi_L/\chi_T} \cos \frac{\pi k}2` if
    k₁ + k₂ = k, and :math:`\sqrt{\chi_L/\chi_T} \sin \frac{\pi k}2` if k₁ + k₂ = k + 1.
    The Jacobian is :math:`2\pi\chi_T \sin\pi\delta\, \sqrt{\ldots}/(\omega_L\omega_1\omega_2)`, with the same
    root; it vanishes where k₁ = k₂ and where two roots meet.
    """
    plane, given = _Plane.of(crystal), reals("k", k).ravel()
    reduced = np.mod(given, 1.0) % 1.0
    alive = (plane.pin_l > 0) | (reduced > 0)
    which, *first = plane.sheet(reduced)
    other, *second = plane.sheet(1 - reduced)  # k → 1 - k turns the second root into the first
    second = [np.mod(-one, 1.0) % 1.0 for one in second[1::-1]] + second[2:]
    columns = [np.concatenate(pair) for pair in zip((which, *first), (other, *second), strict=True)]
    order = np.argsort(columns[0], kind="stable")
    order = order[alive[columns[0][order]]]
    which, k1, k2, slope = (column[order] for column in columns)
    return ThreePhonons(which, reduced[which], np.maximum(k1, k2), np.minimum(k1, k2), slope)


@finite
def decay_ranges(crystal: Crystal) -> NDArray[np.float64]:
    """Where a longitudinal wave decays in the way of the first root of `decays`.

    Parameters
    ----------
    crystal : Crystal
        As in `decays`.

    Returns
    -------
    (ranges, 2) array
        Ends of intervals of wave numbers in [0, 1], possibly none.  Those of the second root are mirrored:
        from 1 - high to 1 - low.

    Raises
    ------
    ValueError
        As in `decays`.

    Notes
    -----
    A range ends at 0 or 1, where k₁ = k₂ or k₁ = k₂ + ½, that is at ω_L(k) = 2 ω_T(k/2) or
    2 ω_T(k/2 + ½), quadratic equations for cos πk; or where both roots meet, at ω_L(k) = :math:`E_+`.
    """
    plane = _Plane.of(crystal)
    level = 4 * plane.pin_t + 8 * plane.chi_t - plane.pin_l - 4 * plane.chi_l
    room = plane.chi_t**2 - plane.chi_l * level / 4
    cosines = []
    if room >= 0:
        roots = (plane.chi_t + np.array([-1.0, 1.0]) * np.sqrt(room)) / plane.chi_l
        cosines += [*roots, *-roots]
    gap = (np.sqrt(plane.pin_t + 4 * plane.chi_t) + np.sqrt(plane.pin_t)) ** 2 - 4 * plane.chi_l
    if gap > plane.pin_l:
        meet = np.sqrt(1 - plane.pin_l / gap)
        cosines += [meet, -meet]
    inner = [np.arccos(c) / np.pi for c in cosines if abs(c) < 1]
    ends = np.unique([0.0, *inner, 1.0])
    middle = (ends[1:] + ends[:-1]) / 2
    found = plane.sheet(middle)[0]
    return np.stack([ends[found], ends[found + 1]], axis=-1)


@finite
def fusions(crystal: Crystal, k1: ArrayLike) -> ThreePhonons:
    r"""All longitudinal waves that given transverse waves can become, each with the partner it takes.

    Parameters
    ----------
    crystal : Crystal
        As in `decays`.
    k1 : array_like
        Wave numbers of the transverse waves.

    Returns
    -------
    ThreePhonons
        With the Jacobian \|ω_L'(k) - ω_T'(k₂)\|, for integrals over k₂ at fixed k₁.

    Raises
    ------
    ValueError
        As in `decays`.

    Notes
    -----
    ω_L(k₁ + k₂) - ω_T(k₂) = ω_T(k₁), squared twice, is an equation of degree four for :math:`\tan \pi k_2`;
    what squaring has added is dropped, and Newton steps remove the rounding.  Without pins every transverse
    wave has two partners in (0, 1), by

    .. math:: \tan\frac{\pi k_1}2\, \tan\frac{\pi k_2}2
              = \frac{\sqrt{\chi_L} - \sqrt{\chi_T}}{\sqrt{\chi_L} + \sqrt{\chi_T}}
              \quad\text{if } k_1 + k_2 = k,

    and by its inverse if k₁ + k₂ = k + 1.
    """
    plane, given = _Plane.of(crystal), reals("k1", k1).ravel()
    first = np.mod(given, 1.0) % 1.0
    energy = plane.across(first)
    if not plane.pin_t:
        which = np.flatnonzero(first)
        ratio = np.sqrt(plane.chi_l / plane.chi_t)
        small = (ratio - 1) / (ratio + 1)
        half = np.tan(np.pi * first[which] / 2)
        if not plane.pin_l:
            k2 = np.concatenate([2 / np.pi * np.arctan(one / half) for one in (small, 1 / small)])
            return _fused(plane, np.tile(which, 2), first, k2)
    centred = first - np.rint(first)
    chi_l, chi_t, pin_l, pin_t = plane.chi_l, plane.chi_t, plane.pin_l, plane.pin_t
    s, c, softer = np.sin(np.pi * centred), np.cos(np.pi * centred), chi_l - chi_t
    # (α + β u + γ u²)² = 4 e² (1 + u²) (ω_T(0)² + ω_T(1/2)² u²), u = tan πk₂: long waves have small roots
    alpha, beta = pin_l - 2 * pin_t + 4 * softer * s**2, 8 * chi_l * s * c
    gamma = pin_l - 2 * pin_t + 4 * chi_l * c**2 - 4 * chi_t * (1 + s**2)
    square, top = 4 * energy**2, pin_t + 4 * chi_t
    last = (
        pin_l * (pin_l - 4 * pin_t)
        + 8 * s**2 * (softer * pin_l - 2 * chi_l * pin_t)
        + (4 * softer * s**2) ** 2
    )
    columns = [2 * beta * gamma, beta**2 + 2 * alpha * gamma - square * (pin_t + top), 2 * alpha * beta, last]
    lead = gamma**2 - square * top
    least = 1e-30 * (gamma**2 + square * top)  # a root at infinity, k₂ = 1/2
    lead = np.where(np.abs(lead) < least, least, lead)
    companion = np.zeros((first.size, 4, 4))
    companion[:, 0] = -np.stack(columns, axis=-1) / lead[:, None]
    companion[:, [1, 2, 3], [0, 1, 2]] = 1
    k2 = np.arctan(np.linalg.eigvals(companion).real) / np.pi

    def off(k2: NDArray) -> NDArray:
        return np.sqrt(plane.squared(centred[:, None] + k2)) - plane.across(k2) - energy[:, None]

    near = np.abs(off(k2)) < 1e-5 * energy[:, None]
    for _ in range(30):  # near a double root a step only halves the distance
        slope = plane.slopes(centred[:, None] + k2, along=True) - plane.slopes(k2, along=False)
        step = np.divide(off(k2), slope, out=np.zeros_like(k2), where=slope != 0)
        k2 = k2 - np.where(np.abs(step) < 1e-3, step, 0.0)
    which, place = np.nonzero(near & (np.abs(off(k2)) < 1e-13 * (energy[:, None] + plane.across(k2))))
    return _fused(plane, which, first, k2[which, place])


def _fused(plane: _Plane, which: NDArray[np.int64], first: NDArray, second: NDArray) -> ThreePhonons:
    """The record of `fusions`, by ascending index."""
    order = np.argsort(which, kind="stable")
    which, second = which[order], np.mod(second[order], 1.0) % 1.0
    k1 = first[which]
    k = np.mod(k1 + second, 1.0) % 1.0
    slope = np.abs(plane.slopes(k, along=True) - plane.slopes(second, along=False))
    return ThreePhonons(which, k, k1, second, slope)
