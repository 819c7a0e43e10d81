r"""The heat equation, ordinary and fractional, :math:`\partial_t u = -c\, (-\partial_x^2)^{a/2}\, u`.

With index a = 2 it is Fourier's law with diffusivity c.  With a < 2 heat performs Lévy flights: each
wave :math:`e^{iqx}` decays at the rate :math:`c\, |q|^a`, and a point of heat spreads as :math:`t^{1/a}`
with tails :math:`|x|^{-1-a}`.
"""

from __future__ import annotations

import math
import numbers

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike, NDArray

__all__ = ["kernel", "spread"]


def _check(constant: float, index: float) -> None:
    if not (isinstance(constant, numbers.Real) and math.isfinite(constant) and constant > 0):
        raise ValueError(f"constant = {constant!r}; allowed: a finite number above 0")
    if not (isinstance(index, numbers.Real) and 1 < index <= 2):
        raise ValueError(f"index = {index!r}; allowed: above 1, at most 2")


def spread(
    profile: ArrayLike, time: float, *, constant: float, index: float = 2.0, spacing: float = 1.0
) -> NDArray[np.float64]:
    r"""A profile of heat on a ring after some time, by Fourier transform.

    Parameters
    ----------
    profile : (..., n) array_like
        Heat at time 0 at n equidistant places.
    time : float
        Not negative.
    constant : float
        c > 0: for index 2 the diffusivity.
    index : float
        a, above 1 and at most 2.
    spacing : float
        Between the places.

    Returns
    -------
    (..., n) array
        Its sum is that of the profile.

    Raises
    ------
    ValueError
        If an argument is not as stated.
    """
    _check(constant, index)
    profile = np.asarray(profile, dtype=np.float64)
    if profile.ndim == 0 or profile.shape[-1] == 0 or not np.isfinite(profile).all():
        raise ValueError(f"profile = {profile!r}; allowed: at least one place, finite numbers")
    if not (isinstance(time, numbers.Real) and math.isfinite(time) and time >= 0):
        raise ValueError(f"time = {time!r}; allowed: a finite number, not negative")
    if not (isinstance(spacing, numbers.Real) and math.isfinite(spacing) and spacing > 0):
        raise ValueError(f"spacing = {spacing!r}; allowed: a finite number above 0")
    n = profile.shape[-1]
    q = 2 * np.pi * np.fft.rfftfreq(n, spacing)
    return np.fft.irfft(np.fft.rfft(profile) * np.exp(-constant * q**index * time), n)


def kernel(x: ArrayLike, time: float, *, constant: float, index: float = 2.0) -> NDArray[np.float64]:
    r"""A unit of heat put at 0 on the infinite line: :math:`\frac1{2\pi}\int e^{iqx - c|q|^a t}\, dq`.

    For index 2 a Gaussian of variance 2ct, else the symmetric stable law of that index.  Parameters and
    errors as in `spread`; the time is above 0.
    """
    _check(constant, index)
    if not (isinstance(time, numbers.Real) and math.isfinite(time) and time > 0):
        raise ValueError(f"time = {time!r}; allowed: a finite number above 0")
    scale = (constant * time) ** (1 / index)
    if index == 2:
        return scipy.stats.norm.pdf(x, scale=np.sqrt(2) * scale)
    return scipy.stats.levy_stable.pdf(x, index, 0, scale=scale)
