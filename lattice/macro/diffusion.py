r"""The heat equation, ordinary and fractional, :math:`\partial_t u = -c\, (-\partial_x^2)^{a/2}\, u`.

With index a = 2 it is Fourier's law with diffusivity c.  With a < 2 heat performs Lévy flights: each
wave :math:`e^{iqx}` decays at the rate :math:`c\, |q|^a`, and a point of heat spreads as :math:`t^{1/a}`
with tails :math:`|x|^{-1-a}`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _check

__all__ = ["evolve", "heat_kernel"]

STEP = 0.28  # between nodes, in units of (a - 1)/a: what the trapezoidal rule leaves is 1e-14
LOWEST = 30.0  # the nodes begin where exp(-g) is at most exp(-30), and at the next one exp(-40),
HIGHEST = 37.0  # and end where the rest is less than exp(-37) of the whole
NEAR, FAR = 1e-20, 1e16  # constant below, a pure power law beyond, to all digits
BLOCK = 2**13  # nodes at a time: what fits into the cache
WIDTHS = (1e-300, 1e300)
INDICES = (1.0001, 1.9999)  # of a kernel, if not 2


def _law(constant: float, index: float) -> tuple[float, float]:
    constant = _check.number("constant", constant, above=0)
    return constant, _check.number("index", index, above=1, most=2)


def evolve(
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
    constant, index = _law(constant, index)
    time = _check.number("time", time, least=0)
    spacing = _check.number("spacing", spacing, above=0)
    profile = _check.reals("profile", profile)
    if profile.ndim == 0:
        raise ValueError(f"profile = {profile}; allowed: an array of at least one place")
    n = profile.shape[-1]
    if not np.abs(profile).max() < 1e308 / n**2:  # its transform has to be finite
        raise ValueError(f"profile has the entry {np.abs(profile).max()}; allowed: below {1e308 / n**2:.1g}")
    with np.errstate(divide="ignore"):  # the wave of length infinity, and the time 0
        log_rate = index * (np.log(2 * np.pi * np.fft.rfftfreq(n)) - math.log(spacing)) + math.log(constant)
        decay = np.exp(-np.exp(np.minimum(log_rate + np.log(time), 700.0)))
    return np.fft.irfft(np.fft.rfft(profile) * decay, n)


def _stable(x: NDArray[np.float64], index: float) -> NDArray[np.float64]:
    r"""The stable density :math:`\frac1\pi\int_0^\infty \cos(qx)\, e^{-q^a} dq` at places x > 0, 1 < a < 2.

    Zolotarev's integral over an angle, in which nothing cancels (J. P. Nolan, Stochastic Models 13,
    759 (1997)).  With :math:`\tan\theta = x e^s` it is

    .. math:: \frac{a}{\pi(a - 1)} \int_{-\infty}^\infty g\, e^{-g} \frac{e^s}{1 + x^2e^{2s}}\, ds , \quad
        g = \Bigl(\frac{\sin\theta}{e^s \sin a\theta}\Bigr)^{a/(a - 1)} \frac{\cos(a - 1)\theta}{\cos\theta} ,

    where g falls from infinity to 0, at last like :math:`e^{-s/(a - 1)}`.  The integrand is analytic for
    :math:`|\mathrm{Im}\, s| < \pi(a - 1)/2a` and vanishes at both ends, so the trapezoidal rule
    converges exponentially, and one set of nodes serves all x.
    """
    a = index
    step = STEP * (a - 1) / a
    begin = -math.log(a) - (a - 1) / a * math.log(LOWEST)
    end = (a - 1) * (a * HIGHEST + max(0.0, math.log(x.max()))) - math.log(math.sin((2 - a) * math.pi / 2))
    s = np.arange(begin, end, step)
    scale = np.exp(s)
    density = np.empty_like(x)
    rows = max(1, BLOCK // s.size)
    for first in range(0, x.size, rows):
        y = x[first : first + rows, None] * scale
        theta, secant = np.arctan(y), np.sqrt(1 + y * y)
        ratio = np.sin(a * theta) * secant / y  # sin aθ / sin θ
        g = np.exp(np.minimum(-a / (a - 1) * (s + np.log(ratio)), 400.0)) * np.cos((a - 1) * theta) * secant
        density[first : first + rows] = (g * np.exp(-g) / secant**2) @ scale
    return a / (math.pi * (a - 1)) * step * density


def heat_kernel(x: ArrayLike, time: float, *, constant: float, index: float = 2.0) -> NDArray[np.float64]:
    r"""A unit of heat put at 0 on the infinite line: :math:`\frac1{2\pi}\int e^{iqx - c|q|^a t}\, dq`.

    For index 2 a Gaussian of variance 2ct, else the symmetric stable law of that index, to a relative
    accuracy of 1e-10 in the middle and in the tails.

    Parameters
    ----------
    x : array_like
        Places.
    time : float
        Above 0.
    constant, index : float
        c and a as in `evolve`; the index is 2, or from 1.0001 to 1.9999.

    Returns
    -------
    array
        Of the shape of `x`.

    Raises
    ------
    ValueError
        If an argument is not as stated, or the width :math:`(ct)^{1/a}` is beyond the range of floats.
    """
    constant, index = _law(constant, index)
    time = _check.number("time", time, above=0)
    x = _check.reals("x", x)
    if index != 2 and not INDICES[0] <= index <= INDICES[1]:
        raise ValueError("index = {!r}; allowed: 2, or {} to {}".format(index, *INDICES))
    width = constant ** (1 / index) * time ** (1 / index)
    if not WIDTHS[0] < width < WIDTHS[1]:
        raise ValueError(
            f"time = {time!r} with constant = {constant!r} makes the kernel {width:.1e} wide; "
            "allowed: between {:.0e} and {:.0e}".format(*WIDTHS)
        )
    with np.errstate(over="ignore"):
        far = np.abs(x) / width
    z = np.clip(far, NEAR, FAR)
    if index == 2:
        return (np.exp(-(z**2) / 4) / (math.sqrt(4 * math.pi) * width))[()]
    density = _stable(z.ravel(), index).reshape(z.shape)
    return (density * (FAR / np.maximum(far, FAR)) ** (1 + index) / width)[()]
