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
from scipy.special import gammainccinv, gammaincinv, stdtrit

from .. import _check
from ..chain import Chain
from ..estimate import Estimate, Untrusted
from ..stats import mean
from ._noises import action_of
from .currents import energy_current
from .evolution import Trajectory

__all__ = ["GreenKubo", "converged", "green_kubo"]

FEWEST_LAGS = 8  # in the window
DOUBTED = 6.3e-5  # chance that a good plateau is doubted: 4 standard errors, if there are many replicas
REFUSED = 1e-6  # chance that a good temperature is refused


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
    __repr__ = _check.brief


def _momenta(run: Trajectory) -> tuple[NDArray[np.float64], int]:
    """Momenta in the frame in which a conserved total is 0, and how many of them are free."""
    pin = run.chain.pin
    pinned = any(np.any(getattr(pin, name)) for name in ("chi", "alpha", "beta", "J"))
    action = action_of(run.chain, run.noise)
    if not pinned and (action is None or run.noise.rate == 0 or action.keeps_momentum):
        return run.p - run.p.mean(axis=-1, keepdims=True), run.chain.n - 1
    return run.p, run.chain.n


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


def _check_run(run: Trajectory, first: Trajectory) -> None:
    if not isinstance(run, Trajectory):
        raise ValueError(f"runs holds {_check.shown(run)}; allowed: Trajectory")
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
    apart = (
        len(steps) > 0 and (run.times[-1] - run.times[0]) / len(steps) > 0
    )  # not by less than floats can be
    if not apart or not np.allclose(steps, steps[0], rtol=1e-6, atol=0):
        raise ValueError(f"times = {_check.shown(run.times)}; allowed: equidistant, at least 2")


def _student(chance: float, replicas: int) -> float:
    """How many standard errors the mean of so many samples is off, on either side, with this chance."""
    return -float(stdtrit(replicas - 1, chance / 2))


def _check_temperature(temperature: float, found: float, squares: int, slack: float) -> None:
    """Compare with the mean p² of so many momenta: over any time it spreads less than χ² does at one time."""
    low, high = (tail(squares / 2, REFUSED / 2) / (squares / 2) for tail in (gammaincinv, gammainccinv))
    if not low * temperature - slack <= found <= high * temperature + slack:
        raise ValueError(
            f"temperature = {temperature!r}, at which {squares} momenta have a mean p² between "
            f"{low * temperature:.4g} and {high * temperature:.4g}, but those of the runs have {found:.4g}; "
            "allowed: the temperature of the runs"
        )


def _samples(
    runs: Trajectory | Iterable[Trajectory], temperature: float, window: tuple[float, float]
) -> tuple[NDArray[np.float64], float, int]:
    """The correlation of each replica, sample first, the spacing of its lags, and where the window begins."""
    low, high = window
    first, parts, heat, squares = None, [], 0.0, 0
    try:
        each = iter([runs] if isinstance(runs, Trajectory) else runs)
    except TypeError:
        raise ValueError(
            f"runs = {_check.shown(runs)}; allowed: a Trajectory, or an iterable of them"
        ) from None
    for run in each:
        first = run if first is None else first
        _check_run(run, first)
        spacing = (run.times[-1] - run.times[0]) / (run.times.size - 1)
        begin, end = math.ceil(low / spacing * (1 - 1e-9)), math.floor(high / spacing * (1 + 1e-9))
        if not (end - begin + 1 >= FEWEST_LAGS and end < run.times.size):
            raise ValueError(
                f"window = {window!r} with outputs every {spacing:.4g} up to {run.times[-1]:.4g}; allowed: "
                f"(low, high) with {FEWEST_LAGS} outputs or more between them, all within the run"
            )
        p, free = _momenta(run)
        heat += np.vdot(p, p) / len(p)
        squares += free * p.shape[1]
        with np.errstate(over="ignore"):  # at a wrong temperature, refused below
            current = energy_current(run.chain, run.q, p).sum(axis=-1) / temperature
            parts.append(_autocovariance(current, end + 1) / run.chain.n)
    replicas = sum(part.shape[1] for part in parts)
    if replicas < 2:
        raise ValueError(f"runs holds {replicas} replicas; allowed: at least 2")
    # what a microcanonical start may differ, and twice what Verlet's step does to waves of mean ω² = ⟨F²⟩/T
    force = first.chain.force(first.q[0])
    with np.errstate(over="ignore"):
        slack = temperature / (first.chain.n - 1) + first.dt**2 * np.mean(force**2) / 4
    if not np.isfinite(slack):
        raise ValueError(
            "runs holds forces whose squares are beyond the floats; allowed: smaller displacements"
        )
    _check_temperature(temperature, heat / squares, squares, slack)
    return np.concatenate(parts, axis=1).T, spacing, begin


def green_kubo(
    runs: Trajectory | Iterable[Trajectory], temperature: float, *, window: tuple[float, float]
) -> GreenKubo:
    r"""The Green-Kubo conductivity of a ring in equilibrium, with an honest plateau.

    .. math:: \kappa = \frac{1}{nT^2} \int_0^\infty \langle J(t) J(0) \rangle\, dt ,
              \qquad J = -\frac12 \sum_j (p_j + p_{j+1}) V'(r_j) .

    The average runs over all times of a run; every replica gives one sample, and errors come from
    the spread between replicas.  Where the dynamics conserves the total momentum, J is taken in the
    frame in which this is 0: a ring that drifts carries heat along for ever.

    Two replicas are enough for an error bar, ten or more for a plateau to be trusted: an error bar from a few
    is itself so uncertain that a plateau has to be far better known.

    Parameters
    ----------
    runs : Trajectory or iterable of Trajectory
        Rings that start in equilibrium, with equidistant times.  An iterable is consumed one by one: a
        generator never holds more than one of them in memory.
    temperature : float
        Of the ensemble, above 0: κ is wrong by the square of a wrong one.
    window : (float, float)
        First and last lag at which to read the running integral, 8 outputs or more; at most the
        duration of a run, and better a small part of it.

    Returns
    -------
    GreenKubo

    Raises
    ------
    ValueError
        If a run is no Trajectory of a ring without baths, they differ in chain, noise or times, times are
        not equidistant, there are fewer than 2 replicas in all, or a number is not allowed.  If the mean
        square of the momenta is that of another temperature: further off than independent momenta ever are
        (false alarm: 1e-6), than a microcanonical start may be, 1/(n - 1), and than the step `dt` explains.
    Untrusted
        If the running integral moves from the first to the second half of the window, or if the plateau
        cannot be told from 0, so that it could hide any slope: by 4 standard errors with many replicas,
        4.6 with 32 and 33 with 4, by Student's law (false alarm: 6e-5).  Carries the :class:`GreenKubo`
        all the same.

    Notes
    -----
    This is the Hamiltonian part of the conductivity; what the noise itself carries is
    ``moments.conductivity(chain, noise).carried``.

    What lies beyond the window is not seen.  A correlation that decays as :math:`t^{-3/2}`
    leaves out, with b = 2a, six times what moves between the halves, and that may hide in the error bar.
    """
    temperature = _check.number("temperature", temperature, above=0)
    low, high = window = _check.bounds("window", window, least=0)
    correlation, spacing, begin = _samples(runs, temperature, window)
    end = correlation.shape[1] - 1
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
    result = GreenKubo(lags, mean(correlation), mean(running), plateau, window, temperature)
    errors = _student(DOUBTED, len(running))
    doubts = []
    if abs(drift.value) > errors * drift.stderr:
        doubts.append(f"the integral moves by {drift:c} within it")
    if errors * level.stderr > abs(level.value):
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
        If n is not a positive integer or dt not a finite number above 0, or `measure` returns something else.
    """
    n, dt = _check.integer("n", n, least=1), _check.number("dt", dt, above=0)
    _check.instance("measure", measure, Callable, "a function of n and dt")

    def measured(n: int, dt: float) -> Estimate:
        return _check.instance("what measure returns", measure(n, dt), Estimate, "an Estimate")

    best, changes = measured(2 * n, dt / 2), 0.0
    for other in (measured(n, dt / 2), measured(2 * n, dt)):
        if np.shape(other.value) != np.shape(best.value):
            raise ValueError(
                f"what measure returns has shapes {np.shape(best.value)} and {np.shape(other.value)}; "
                "allowed: always the same"
            )
        changes = changes + np.abs(np.subtract(best.value, other.value))
    how = f"{best.how}; n = {2 * n} against {n}, dt = {dt / 2:g} against {dt:g}"
    return Estimate(best.value, best.stderr, how, np.hypot(best.systematic, changes))
