r"""Harmonic lattices of any dimension with any couplings, followed exactly wave by wave.

A lattice is known by the frequencies ω(k) of its plane waves on a grid of wave numbers,
:math:`\omega(k)^2 = \hat\alpha(k)` for the energy
:math:`\frac12 \sum p_y^2 + \frac12 \sum \alpha(y - y')\, q_y q_{y'}` of Basile, Olla and Spohn, eqs. (6)
and (45).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._check import finite, number, reals

__all__ = ["field", "frequencies", "propagate"]

ROUNDING = 1e-12  # of ω², relative to its largest value
SLOW = 1e-4  # likewise: below this share the fast transform has lost digits


def _squares_of_slow_waves(
    alpha: NDArray[np.float64], k: tuple[NDArray[np.int64], ...]
) -> NDArray[np.float64]:
    r""":math:`\hat\alpha(k) = \sum \alpha - 2 \sum_y \alpha(y) \sin^2 \pi k y` at some points of the grid.

    The couplings are as good as they are rounded: a sum that this can explain is 0, and nothing is pinned.
    """
    total = math.fsum(alpha.ravel())
    if abs(total) <= np.finfo(float).eps * np.abs(alpha).sum():
        total = 0.0
    common = math.lcm(*alpha.shape)
    turned = np.zeros(k[0].shape)
    for y in zip(*np.nonzero(alpha), strict=True):
        # whole numbers, so that a full turn is one exactly
        turns = sum(
            points * (place * (common // n)) for points, place, n in zip(k, y, alpha.shape, strict=True)
        )
        turned += alpha[y] * np.sin(np.pi * (turns % common / common)) ** 2
    return total - 2 * turned


@finite
def frequencies(couplings: ArrayLike) -> NDArray[np.float64]:
    r"""The frequencies :math:`\omega(k) = \sqrt{\hat\alpha(k)}` of a ring or a torus.

    Parameters
    ----------
    couplings : (n, …) array_like
        α(y), with y = 0 at index 0 and -y at index -y on every axis.

    Returns
    -------
    array of the same shape
        At the wave numbers :math:`k = 0, \frac1n, \dots` of each axis.

    Raises
    ------
    ValueError
        If a coupling is not finite, α(y) differs from α(-y), or a wave would grow.
    """
    alpha = reals("couplings", couplings)
    if alpha.ndim == 0:
        raise ValueError(f"couplings = {couplings}; allowed: an array of finite numbers")
    spectrum = np.fft.fftn(alpha)
    scale = np.abs(spectrum).max()
    if np.abs(spectrum.imag).max() > ROUNDING * scale:
        raise ValueError("couplings are not even; allowed: α(y) = α(-y)")
    squared = spectrum.real
    slow = np.nonzero(squared < SLOW * scale)
    if slow[0].size:
        squared[slow] = _squares_of_slow_waves(alpha, slow)
    if squared.min() < -ROUNDING * scale:
        raise ValueError(f"couplings give ω² = {squared.min():.3g} at some k; allowed: ω² ≥ 0 for every k")
    return np.sqrt(np.maximum(squared, 0.0))


def _grid(
    omega: ArrayLike, q: ArrayLike, p: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], tuple[int, ...]]:
    """The arguments as arrays, and the axes of the grid."""
    omega, q, p = reals("omega", omega), reals("q", q), reals("p", p)
    if omega.ndim == 0 or (omega < 0).any():
        raise ValueError(f"omega has shape {omega.shape}; allowed: an array of frequencies, none negative")
    opposite = omega[np.ix_(*(-np.arange(n) % n for n in omega.shape))]
    if np.abs(omega - opposite).max() > ROUNDING * omega.max():
        raise ValueError("omega differs at k and -k; allowed: frequencies of real waves, which do not")
    for name, array in (("q", q), ("p", p)):
        if array.shape[-omega.ndim :] != omega.shape:
            raise ValueError(f"{name} has shape {array.shape}; allowed: (…, *{omega.shape}), as omega")
    if q.shape != p.shape:
        raise ValueError(f"q has shape {q.shape} and p {p.shape}; allowed: equal shapes")
    return omega, q, p, tuple(range(-omega.ndim, 0))


def _half(omega: NDArray[np.float64]) -> NDArray[np.float64]:
    """The wave numbers that a Fourier transform of real fields keeps."""
    return omega[..., : omega.shape[-1] // 2 + 1]


def phases(omega: NDArray[np.float64], time: float) -> tuple[NDArray[np.float64], ...]:
    """What `move` multiplies with; worth keeping if many moves take the same time."""
    half = _half(omega)
    sine = np.sin(half * time)
    return np.cos(half * time), time * np.sinc(half * time / np.pi), half * sine


def move(
    q: NDArray[np.float64], p: NDArray[np.float64], factors: tuple[NDArray, ...], axes: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`propagate` without its checks."""
    cosine, slide, push = factors  # cos ωt, sin(ωt)/ω, ω sin ωt
    shape = [q.shape[axis] for axis in axes]
    q, p = np.fft.rfftn(q, axes=axes), np.fft.rfftn(p, axes=axes)
    new_q, new_p = q * cosine + p * slide, p * cosine - q * push
    return np.fft.irfftn(new_q, s=shape, axes=axes), np.fft.irfftn(new_p, s=shape, axes=axes)


@finite
def propagate(
    omega: ArrayLike, q: ArrayLike, p: ArrayLike, time: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""The state at another time: :math:`\hat q(t) = \hat q \cos\omega t + \hat p \sin(\omega t)/\omega`.

    Parameters
    ----------
    omega : array_like
        Frequencies on the grid, as of `frequencies` or `lattice.dispersion`.
    q, p : array_like
        Displacements and momenta, the grid in the last axes.
    time : float
        Positive or negative.

    Returns
    -------
    q, p : arrays
        Exact up to round-off, at any time.

    Raises
    ------
    ValueError
        If shapes do not fit, a number is not finite, or the frequencies at k and -k differ.
    """
    omega, q, p, axes = _grid(omega, q, p)
    return move(q, p, phases(omega, number("time", time)), axes)


@finite
def field(omega: ArrayLike, q: ArrayLike, p: ArrayLike) -> NDArray[np.complex128]:
    r"""The wave field :math:`\psi(y) = \frac1{\sqrt2}(\tilde\omega * q + ip)(y)` of eqs. (13) and (50).

    Parameters and errors as in `propagate`; the shape is that of the displacements.
    """
    omega, q, p, axes = _grid(omega, q, p)
    lifted = np.fft.rfftn(q, axes=axes) * _half(omega)
    return (np.fft.irfftn(lifted, s=omega.shape, axes=axes) + 1j * p) / np.sqrt(2)
