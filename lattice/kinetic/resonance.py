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

from .._check import brief, finite, instance, reals
from ..chain import Chain
from ..waves import dispersion

__all__ = ["FourPhonons", "four_phonons"]


@dataclass(frozen=True)
class FourPhonons:
    """Partners of two waves in a collision 1 + 2 ↔ 3 + 4, and the Jacobians.

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
    r"""The one collision k₁ + k₂ ↔ k₃ + k₄ of given k₁ and k₃ in which they are not merely exchanged.

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

    The Jacobian is :math:`2\pi\chi\,|\sin\pi(k_1 - k_3) \sin\pi(k_2 - k_3) \sin\pi(k_1 + k_2)|
    (1/\omega_2 + 1/\omega_4)`, and `balance` has :math:`1/\omega_1 + 1/\omega_3` instead.  They vanish where
    the collision is an exchange too, and at k₁ = k₃.
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
