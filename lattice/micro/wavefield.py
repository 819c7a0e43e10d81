r"""Harmonic lattices of any dimension with any couplings, followed exactly wave by wave.

A lattice is known by the frequencies ω(k) of its plane waves on a grid of wave numbers,
:math:`\omega(k)^2 = \hat\alpha(k)` for the energy
:math:`\frac12 \sum p_y^2 + \frac12 \sum \alpha(y - y')\, q_y q_{y'}` of Basile, Olla and Spohn, eqs. (6)
and (45).
"""

from __future__ import annotations

import math
import numbers

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["field", "frequencies", "propagate"]

ROUNDING = 1e-12  # of ω², relative to its largest value


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
    alpha = np.asarray(couplings, dtype=np.float64)
    if alpha.ndim == 0 or alpha.size == 0 or not np.isfinite(alpha).all():
        raise ValueError(f"couplings = {couplings!r}; allowed: an array of finite numbers")
    spectrum = np.fft.fftn(alpha)
    scale = np.abs(spectrum).max()
    if np.abs(spectrum.imag).max() > ROUNDING * scale:
        raise ValueError("couplings are not even; allowed: α(y) = α(-y)")
    squared = spectrum.real
    if squared.min() < -ROUNDING * scale:
        raise ValueError(f"couplings give ω² = {squared.min():.3g} at some k; allowed: ω² ≥ 0 for every k")
    # what is left of an exact 0 after rounding would be a slow wave
    return np.sqrt(np.where(squared < ROUNDING * scale, 0.0, squared))


def _grid(
    omega: ArrayLike, q: ArrayLike, p: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], tuple[int, ...]]:
    """The arguments as arrays, and the axes of the grid."""
    omega, q, p = (np.asarray(array, dtype=np.float64) for array in (omega, q, p))
    if omega.ndim == 0 or omega.size == 0 or not np.isfinite(omega).all() or (omega < 0).any():
        raise ValueError(f"omega has shape {omega.shape}; allowed: finite frequencies, not negative")
    opposite = omega[np.ix_(*(-np.arange(n) % n for n in omega.shape))]
    if np.abs(omega - opposite).max() > ROUNDING * omega.max():
        raise ValueError("omega differs at k and -k; allowed: frequencies of real waves, which do not")
    for name, array in (("q", q), ("p", p)):
        if array.shape[-omega.ndim :] != omega.shape or not np.isfinite(array).all():
            raise ValueError(
                f"{name} has shape {array.shape}; allowed: (…, *{omega.shape}), all entries finite"
            )
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
    if not (isinstance(time, numbers.Real) and math.isfinite(time)):
        raise ValueError(f"time = {time!r}; allowed: a finite number")
    return move(q, p, phases(omega, time), axes)


def field(omega: ArrayLike, q: ArrayLike, p: ArrayLike) -> NDArray[np.complex128]:
    r"""The wave field :math:`\psi(y) = \frac1{\sqrt2}(\tilde\omega * q + ip)(y)` of eqs. (13) and (50).

    Parameters and errors as in `propagate`; the shape is that of the displacements.
    """
    omega, q, p, axes = _grid(omega, q, p)
    lifted = np.fft.rfftn(q, axes=axes) * _half(omega)
    return (np.fft.irfftn(lifted, s=omega.shape, axes=axes) + 1j * p) / np.sqrt(2)
