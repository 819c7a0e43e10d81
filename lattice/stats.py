r"""How error bars are found.

`mean` and `jackknife` estimate from independent samples, `blocking` and `autocorrelation_time` from a
correlated series.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from . import _check
from .estimate import Estimate, Untrusted

__all__ = [
    "autocorrelation_time",
    "blocking",
    "jackknife",
    "mean",
]

FEWEST_BLOCKS = 16  # the error of an error bar from so few is 18 %
FEWEST_TIMES = 50  # length of a series in autocorrelation times
WINDOW_TIMES = 4  # window of the autocorrelation sum, in autocorrelation times
MOST_NUMBERS = 1e11  # that a jackknife hands on: minutes


def _samples(name: str, values: ArrayLike, axis: int, least: int) -> NDArray[np.float64]:
    """Real numbers with the sample axis in front, at least so many of them."""
    values = _check.reals(name, values)
    if values.ndim == 0:
        raise ValueError(f"{name} = {values}; allowed: an array of at least {least} entries")
    values = np.moveaxis(values, _check.integer("axis", axis, least=-values.ndim, most=values.ndim - 1), 0)
    if len(values) < least:
        raise ValueError(f"{name} has {len(values)} entries; allowed: at least {least}")
    return values


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A power of two about as large as the largest along the first axis: squares in it are floats."""
    largest = np.maximum(values.max(axis=0), -values.min(axis=0))
    return np.ldexp(1.0, np.frexp(largest)[1] - 1)


def _spread(numbers: NDArray) -> str:
    """One number, or the range of several."""
    low, high = np.min(numbers), np.max(numbers)
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def mean(samples: ArrayLike, axis: int = 0) -> Estimate:
    """The mean of independent samples, with its standard error.

    The error of few samples is itself uncertain, and deviations follow Student's law with size - 1
    degrees of freedom: more than 3 errors off are 20 % of the means of 2 normal samples, 6 % of 4, 1.5 % of
    10, and 0.3 % of many.

    Parameters
    ----------
    samples : (size, ...) array
        Independent samples along `axis`; each may be an array.
    axis : int
        Where the samples are counted.

    Returns
    -------
    Estimate
        Shape (...).

    Raises
    ------
    ValueError
        If there are fewer than 2 samples, or one is no finite real number.
    """
    data = _samples("samples", samples, axis, least=2)
    unit = _unit(data)
    data = data / unit
    stderr = data.std(axis=0, ddof=1) / math.sqrt(len(data))
    return Estimate(data.mean(axis=0) * unit, stderr * unit, f"mean of {len(data)} independent samples")


def blocking(series: ArrayLike, axis: int = 0) -> Estimate:
    r"""The mean of a correlated stationary series, its error from blocks of growing length.

    Blocks of length :math:`b = 1, 2, 4, \dots` are averaged and treated as
    independent (H. Flyvbjerg and H. G. Petersen, J. Chem. Phys. 91, 461 (1989)).
    The squared error :math:`s_b^2` grows with b towards a plateau, the better
    known the more blocks there are.  Taken is the shortest b from which on
    :math:`b^3 > 2 n (s_b^2/s_1^2)^2`, where what the blocks still miss and what
    their small number leaves open are about equal (R. M. Lee et al.,
    Phys. Rev. E 83, 066706 (2011)).

    Parameters
    ----------
    series : (n, ...) array
        Equidistant values, time along `axis`; each may be an array.
    axis : int
        Where the time is counted.

    Returns
    -------
    Estimate
        Shape (...).  At positive correlations of time :math:`\tau` the error is
        too small by about a fraction :math:`\tau/4b`, with b named in `how`.

    Raises
    ------
    ValueError
        If there are fewer than 16 values, or one is no finite real number.
    Untrusted
        If no plateau is reached with 16 blocks left: the series is shorter than
        about a hundred autocorrelation times.
    """
    data = _samples("series", series, axis, least=FEWEST_BLOCKS)
    unit = _unit(data)
    data = data / unit
    n, value = len(data), data.mean(axis=0)
    blocks, squares = data - value, []
    while len(blocks) >= FEWEST_BLOCKS:
        squares.append(blocks.var(axis=0, ddof=1) / len(blocks))
        even = len(blocks) // 2 * 2
        blocks = (blocks[0:even:2] + blocks[1:even:2]) / 2
    squares = np.array(squares)
    lengths = 2.0 ** np.arange(len(squares)).reshape(-1, *[1] * value.ndim)
    varies = np.ptp(data, axis=0) > 0  # a constant series is settled at any length
    growth = np.divide(squares, squares[0], out=np.zeros_like(squares), where=varies)
    settled = np.logical_and.accumulate((lengths**3 > 2 * n * growth**2)[::-1], axis=0)[::-1]
    trusted = settled[-1]
    level = np.where(trusted, settled.argmax(axis=0), len(squares) - 1)
    stderr = np.sqrt(np.take_along_axis(squares, level[None], axis=0)[0])
    result = Estimate(
        value * unit, stderr * unit, f"blocking of {n} values in blocks of {_spread(2.0**level)}"
    )
    if not np.all(trusted):
        raise Untrusted(
            f"series of {n} values is too short for its correlations: no plateau of the error "
            f"up to blocks of {2 ** (len(squares) - 1)} (result {result:c})",
            result,
        )
    return result


def autocorrelation_time(series: ArrayLike, axis: int = 0) -> Estimate:
    r"""The integrated autocorrelation time :math:`\tau = 1 + 2\sum_{t\ge1} \rho_t` of a stationary series.

    The mean of n values is as well known as that of :math:`n/\tau` independent
    ones.  The sum stops at the shortest W that exceeds four times
    :math:`1 + 2\sum_{t \le W} |\rho_t|`; absolute values, so that a series which
    oscillates is not cut in its first period.  Correction for the subtracted mean
    as in U. Wolff, Computer Physics Communications 156, 143 (2004), error from
    Bartlett's covariance of the :math:`\rho_t` (M. S. Bartlett, J. R. Stat. Soc.
    Suppl. 8, 27 (1946)).

    Parameters
    ----------
    series, axis
        As in `blocking`.

    Returns
    -------
    Estimate
        Shape (...), in units of the spacing.

    Raises
    ------
    ValueError
        If there are fewer than 16 values, one is no finite real number, or a series is constant.
    Untrusted
        If a series is shorter than 50 correlation times.
    """
    data = _samples("series", series, axis, least=FEWEST_BLOCKS)
    data, n = data / _unit(data), len(data)
    if np.any(np.ptp(data, axis=0) == 0):
        raise ValueError("series is constant; allowed: a series that varies")
    size, half = fft.next_fast_len(2 * n), n // 2
    lags = np.arange(half).reshape(-1, *[1] * (data.ndim - 1))
    power = np.abs(fft.fft(data - data.mean(axis=0), size, axis=0)) ** 2
    rho = fft.ifft(power, axis=0).real[:half] / (n - lags)
    rho /= rho[0].copy()
    reach = 2 * np.cumsum(np.abs(rho), axis=0) - 1
    closed = lags > WINDOW_TIMES * reach
    window = np.where(closed.any(axis=0), closed.argmax(axis=0), half - 1)
    reach = np.take_along_axis(reach, window[None], axis=0)[0]
    inside = np.where(lags <= window, 1.0, 0.0)

    def spectrum(even: NDArray[np.float64]) -> NDArray[np.float64]:
        return 2 * fft.fft(even, size, axis=0).real - even[0]

    tau = 2 * (inside * rho).sum(axis=0) - 1
    variance = np.mean(((spectrum(inside) - tau) * spectrum(inside * rho)) ** 2, axis=0) * 2 / n
    tau, stderr = tau * (1 + (2 * window + 1) / n), np.sqrt(variance)
    result = Estimate(tau, stderr, f"autocorrelation of {n} values up to lag {_spread(window)}")
    if np.any(n < FEWEST_TIMES * reach):
        raise Untrusted(
            f"series of {n} values is too short for its correlations: it lasts {_spread(n / reach)} "
            f"correlation times, {FEWEST_TIMES} are needed (result {result:c})",
            result,
        )
    return result


def jackknife(
    statistic: Callable[[NDArray[np.float64]], ArrayLike],
    samples: ArrayLike,
    *,
    blocks: int | None = None,
    axis: int = 0,
) -> Estimate:
    r"""Any smooth statistic of samples, corrected for its bias of order 1/size.

    With :math:`\theta` the statistic of all samples and :math:`\theta_b` that of
    all but block b, the value is :math:`B\theta - (B-1)\bar\theta` and its
    squared error :math:`\frac{B-1}{B}\sum_b (\theta_b - \bar\theta)^2`
    (B. Efron, The Jackknife, the Bootstrap and Other Resampling Plans (1982)).

    Parameters
    ----------
    statistic : callable
        Takes samples with the sample axis in front, returns a number or an array.
    samples : (size, ...) array
        Samples along `axis`.
    blocks : int, optional
        Number B of blocks left out in turn, a divisor of the size; each sample
        by itself unless given.  For a correlated series a block is much longer
        than its autocorrelation time.
    axis : int
        Where the samples are counted.

    Returns
    -------
    Estimate
        In the shape of the statistic.

    Raises
    ------
    ValueError
        If there are fewer than 2 samples, one is no finite real number, `blocks` does not divide the size,
        they would hand on more than 1e11 numbers, or the statistic is not finite.
    """
    _check.instance("statistic", statistic, Callable, "a function of samples")
    data = _samples("samples", samples, axis, least=2)
    size = len(data)
    blocks = _check.integer("blocks", size if blocks is None else blocks, least=2)
    if size % blocks:
        raise ValueError(f"blocks = {blocks}; allowed: a divisor of the {size} samples, at least 2")
    _check.work("blocks", blocks, float(blocks) * data.size, MOST_NUMBERS)
    length = size // blocks
    found = [statistic(data)]
    found += [statistic(np.delete(data, np.s_[b * length : (b + 1) * length], axis=0)) for b in range(blocks)]
    values = _check.reals("what statistic returns", found)
    unit = _unit(values)
    whole, parts = values[0] / unit, values[1:] / unit
    centre = parts.mean(axis=0)
    stderr = np.sqrt((blocks - 1) / blocks * np.square(parts - centre).sum(axis=0))
    value = blocks * whole - (blocks - 1) * centre
    return Estimate(value * unit, stderr * unit, f"jackknife of {size} samples in {blocks} blocks")
