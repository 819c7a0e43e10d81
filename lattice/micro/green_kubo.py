r"""The heat conductivity from fluctuations in equilibrium, after Green and Kubo, with its errors.

The running integral of a measured correlation is a random walk about its limit: it has to be read
late enough for the correlation to have died out and early enough for the walk not to have gone far.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields

import numpy as np
import scipy.fft
import scipy.integrate
from numpy.typing import NDArray

from ..model import Chain, ThreeSiteRotation, VelocityExchange
from ..stats import Estimate, Untrusted, mean
from .currents import energy_current
from .evolve import Trajectory

__all__ = ["GreenKubo", "converged", "green_kubo"]

FEWEST_LAGS = 8  # in the window
DRIFT = 4.0  # standard errors by which the integral may move within the window
NOISE = 0.25  # largest relative error of a plateau that can be told from a slope


@dataclass(frozen=True, eq=False)
class GreenKubo:
    r"""The Green-Kubo conductivity of a ring, and what it was read from.

    Attributes
    ----------
    lags : (lags,) array
        Times t from 0 to the end of the window.
    correlation : Estimate, shape (lags,)
        :math:`\langle J(t) J(0)\rangle / nT^2` with the total current J of n sites.
    running : Estimate, shape (lags,)
        Its integral from 0 to each lag.
    plateau : Estimate
        The conductivity: the mean of `running` over the window.  Systematic: by how much it moves from the
        first to the second half of the window, and the change when every second output is used.
    window : (float, float)
        First and last lag of the plateau.
    temperature : float
        That of the ensemble.
    """

    lags: NDArray[np.float64]
    correlation: Estimate
    running: Estimate
    plateau: Estimate
    window: tuple[float, float]
    temperature: float


def _total_current(run: Trajectory) -> NDArray[np.float64]:
    """The total energy current, (times, replicas), in the frame where a conserved momentum is 0."""
    pin = run.chain.pin
    pinned = any(np.any(getattr(pin, name)) for name in ("chi", "alpha", "beta", "J"))
    p = run.p
    still = run.noise is None or run.noise.rate == 0
    if not pinned and (still or isinstance(run.noise, (VelocityExchange, ThreeSiteRotation))):
        p = p - p.mean(axis=-1, keepdims=True)
    return energy_current(run.chain, run.q, p).sum(axis=-1)


def _autocovariance(series: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """Mean product of values a lag apart, of series whose mean is known to be 0, (lags, series)."""
    size = scipy.fft.next_fast_len(len(series) + lags, real=True)
    power = np.abs(scipy.fft.rfft(series, size, axis=0)) ** 2
    return scipy.fft.irfft(power, size, axis=0)[:lags] / (len(series) - np.arange(lags))[:, None]


def _same(one: Chain, other: Chain) -> bool:
    laws = ((one.bond, other.bond), (one.pin, other.pin))
    return one.n == other.n and all(
        np.array_equal(getattr(a, field.name), getattr(b, field.name)) for a, b in laws for field in fields(a)
    )


def _check(run: Trajectory, first: Trajectory) -> None:
    if not isinstance(run, Trajectory):
        raise ValueError(f"runs holds {run!r}; allowed: Trajectory")
    if not run.chain.periodic or run.baths:
        raise ValueError(
            f"runs holds one with boundary {run.chain.boundary!r} and {len(run.baths)} baths; "
            "allowed: rings without baths"
        )
    if not _same(run.chain, first.chain) or run.noise != first.noise:
        raise ValueError("runs holds different chains or noises; allowed: the same in all")
    steps = np.diff(run.times)
    if run.times.shape != first.times.shape or not np.allclose(run.times, first.times, rtol=1e-9, atol=0):
        raise ValueError("runs holds different times; allowed: the same in all")
    if len(steps) == 0 or not np.allclose(steps, steps[0], rtol=1e-6, atol=0):
        raise ValueError(f"times = {run.times!r}; allowed: equidistant, at least 2")


def green_kubo(
    runs: Trajectory | Iterable[Trajectory], temperature: float, *, window: tuple[float, float]
) -> GreenKubo:
    r"""The Green-Kubo conductivity of a ring in equilibrium, with an honest plateau.

    .. math:: \kappa = \frac{1}{nT^2} \int_0^\infty \langle J(t) J(0) \rangle\, dt ,
              \qquad J = -\frac12 \sum_j (p_j + p_{j+1}) V'(r_j) .

    The average runs over all times of a run; every replica gives one sample, and errors come from
    the spread between replicas.  Where the dynamics conserves the total momentum, J is taken in the
    frame in which this is 0: a ring that drifts carries heat along for ever.

    Parameters
    ----------
    runs : Trajectory or iterable of Trajectory
        Rings that start in equilibrium, with equidistant times.  An iterable is consumed one by one: a
        generator never holds more than one of them in memory.
    temperature : float
        Of the ensemble, above 0.
    window : (float, float)
        First and last lag at which to read the running integral, 8 outputs or more; at most the
        duration of a run, and better a small part of it.

    Returns
    -------
    GreenKubo

    Raises
    ------
    ValueError
        If a run is no Trajectory of a ring without baths, they differ in chain, noise or times, times are not
        equidistant, there are fewer than 2 replicas in all, or a number is not allowed.
    Untrusted
        If the running integral moves by more than 4 standard errors from the first to the second
        half of the window (false alarm: 6e-5 with many replicas, 3e-2 with four), or the plateau has an
        error of more than a quarter of its value, so that it could hide a slope.  Carries the
        :class:`GreenKubo` all the same.

    Notes
    -----
    This is the Hamiltonian part of the conductivity; what the noise itself carries is
    ``moments.conductivity(chain, noise).carried``.

    What lies beyond the window is not seen.  A correlation that decays as :math:`t^{-3/2}`
    leaves out, with b = 2a, six times what moves between the halves, and that may hide in the error bar.
    """
    number = isinstance(temperature, (int, float, np.number)) and not isinstance(temperature, bool)
    if not number or not 0 < temperature < math.inf:
        raise ValueError(f"temperature = {temperature!r}; allowed: a finite number above 0")
    low, high = (float(end) for end in window)
    if not 0 <= low < high < math.inf:
        raise ValueError(f"window = {window!r}; allowed: (low, high) with 0 ≤ low < high")
    first, parts = None, []
    for run in [runs] if isinstance(runs, Trajectory) else runs:
        first = first or run
        _check(run, first)
        spacing = (run.times[-1] - run.times[0]) / (run.times.size - 1)
        begin, end = math.ceil(low / spacing * (1 - 1e-9)), math.floor(high / spacing * (1 + 1e-9))
        if not (low >= 0 and end - begin + 1 >= FEWEST_LAGS and end < run.times.size):
            raise ValueError(
                f"window = {window!r} with outputs every {spacing:.4g} up to {run.times[-1]:.4g}; allowed: "
                f"(low, high) with {FEWEST_LAGS} outputs or more between them, all within the run"
            )
        parts.append(_autocovariance(_total_current(run), end + 1) / (run.chain.n * temperature**2))
    if first is None:
        raise ValueError("runs is empty; allowed: at least one Trajectory")
    # sample first
    correlation = np.concatenate(parts, axis=1).T
    running = scipy.integrate.cumulative_simpson(correlation, dx=spacing, initial=0)
    coarse = scipy.integrate.cumulative_simpson(correlation[:, ::2], dx=2 * spacing, initial=0)
    even = np.arange(begin + begin % 2, end + 1, 2)
    sparser = mean((coarse[:, even // 2] - running[:, even]).mean(axis=1)).value

    inside = running[:, begin:]
    half = inside.shape[1] // 2
    drift = mean(inside[:, -half:].mean(axis=1) - inside[:, :half].mean(axis=1))
    level = mean(inside.mean(axis=1))
    plateau = Estimate(
        level.value,
        level.stderr,
        f"Green-Kubo integral of {len(running)} replicas, read at {low:g} ≤ t ≤ {high:g}",
        math.hypot(drift.value, sparser),
    )
    lags = spacing * np.arange(end + 1)
    lags.setflags(write=False)
    result = GreenKubo(lags, mean(correlation), mean(running), plateau, (low, high), float(temperature))
    doubts = []
    if abs(drift.value) > DRIFT * drift.stderr:
        doubts.append(f"the integral moves by {drift:c} within it")
    if level.stderr > NOISE * abs(level.value):
        doubts.append("the error hides any slope")
    if doubts:
        raise Untrusted(
            f"window {window!r} shows no plateau: {'; '.join(doubts)} (level {plateau:c})", result
        )
    return result


def converged(measure: Callable[[int, float], Estimate], *, n: int, dt: float) -> Estimate:
    """A measurement with twice the size and half the step, and what both of them changed.

    Parameters
    ----------
    measure : callable
        ``measure(n, dt)`` measures on n sites with the step dt, as an Estimate.
    n, dt : int, float
        The coarser size and step.

    Returns
    -------
    Estimate
        That of ``measure(2 * n, dt / 2)``.  Added to its systematic error is by how much it differs from
        those with n sites, and with the step dt, which is what an error of first order leaves.  Noise
        contributes to these differences: they err on the safe side.

    Raises
    ------
    ValueError
        If n is not a positive integer or dt not a finite number above 0.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"n = {n!r}; allowed: an integer of at least 1")
    if isinstance(dt, bool) or not isinstance(dt, (int, float, np.number)) or not 0 < dt < math.inf:
        raise ValueError(f"dt = {dt!r}; allowed: a finite number above 0")
    best = measure(2 * n, dt / 2)
    changes = [np.subtract(best.value, other.value) for other in (measure(n, dt / 2), measure(2 * n, dt))]
    systematic = np.hypot(best.systematic, np.abs(changes).sum(axis=0))
    how = f"{best.how}; n = {2 * n} against {n}, dt = {dt / 2:g} against {dt:g}"
    return Estimate(best.value, best.stderr, how, systematic)
