r"""The heat conductivity from fluctuations in equilibrium, after Green and Kubo, with its errors.

The running integral of a measured correlation is a random walk about its limit: it has to be read
late enough for the correlation to have died out and early enough for the walk not to have gone far.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.integrate
from numpy.typing import NDArray
from scipy.special import gammainccinv, gammaincinv, stdtrit

from .. import _check
from ..estimate import Estimate, Untrusted
from ..stats import mean
from ._noises import action_of
from .observers import Series, Trajectory, totals_of

__all__ = ["GreenKubo", "converged", "green_kubo"]

FEWEST_LAGS = 8  # in the window
DOUBTED = 6.3e-5  # chance that a good plateau is doubted: 4 standard errors, if there are many replicas
REFUSED = 1e-6  # chance that a good temperature is refused
# Of the temperature, by which the correlation of a current is divided.
POWERS = {"energy_current": 2, "momentum_current": 1}


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
    currents : str or sequence of str
        What was correlated; of a sequence all quantities have two more axes.
    """

    lags: NDArray[np.float64]
    correlation: Estimate
    running: Estimate
    plateau: Estimate
    window: tuple[float, float]
    temperature: float
    currents: str | Sequence[str] = "energy_current"
    __repr__ = _check.brief


def _keeps_momentum(run: Series) -> bool:
    """Whether the total momentum of a ring is conserved."""
    action = action_of(run.chain, run.noise)
    return run.chain.pin.is_zero and (action is None or run.noise.rate == 0 or action.keeps_momentum)


def _totals(
    run: Series, currents: tuple[str, ...]
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64], int]:
    """Total currents (times, replicas), mean squares of the momenta (replicas,), and how many are free.

    In the frame in which a conserved momentum is 0.
    """
    still, n = _keeps_momentum(run), run.chain.n
    drift, free = (run.momentum / n, n - 1) if still else (0.0, n)
    found = {
        "energy_current": run.energy_current - drift * run.momentum_current,
        "momentum_current": run.momentum_current,
    }
    squares = (run.squares - drift * run.momentum).mean(axis=0) / free
    return [found[name] for name in currents], squares, free


def _correlation(series: list[NDArray[np.float64]], lags: int) -> NDArray[np.float64]:
    """Mean products a(s + t) b(s), (replicas, lags, a, b), of series whose means are known to be 0."""
    times = len(series[0])
    size = scipy.fft.next_fast_len(times + lags, real=True)
    waves = scipy.fft.rfft(series, size, axis=1)
    products = scipy.fft.irfft(waves[:, None] * waves.conj(), size, axis=2)[:, :, :lags]
    return (products / (times - np.arange(lags))[:, None]).transpose(3, 2, 0, 1)


def _check_run(run: Series, first: Series, currents: tuple[str, ...]) -> None:
    if not run.chain.periodic or run.baths:
        raise ValueError(
            f"runs holds one with boundary {run.chain.boundary!r} and {len(run.baths)} baths; "
            "allowed: rings without baths"
        )
    if run.chain != first.chain or run.noise != first.noise:
        raise ValueError("runs holds different chains or noises; allowed: the same in all")
    if "momentum_current" in currents and not (_keeps_momentum(run) and not np.any(run.chain.bond.alpha)):
        raise ValueError(
            f"currents = {currents!r} of {_check.shown(run.chain)} with {run.noise!r}; allowed: the momentum "
            "current where the momentum is kept and V is even, so that there is no pressure"
        )
    if run.times.shape != first.times.shape or not np.allclose(run.times, first.times, rtol=1e-9, atol=0):
        raise ValueError("runs holds different times; allowed: the same in all")
    steps = np.diff(run.times)
    if not (steps.size and steps[0] > 0 and np.allclose(steps, steps[0], rtol=1e-6, atol=0)):
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
    runs: Trajectory | Series | Iterable[Trajectory | Series],
    currents: tuple[str, ...],
    temperature: float | None,
    window: tuple[float, float],
) -> tuple[NDArray[np.float64], float, float, int, int]:
    """The correlations of each replica, sample first; T, spacing, start of the window, how many lost."""
    low, high = window
    first, parts, heats, squares, lost = None, [], [], 0, 0
    try:
        each = iter([runs] if isinstance(runs, (Trajectory, Series)) else runs)
    except TypeError:
        raise ValueError(
            f"runs = {_check.shown(runs)}; allowed: a Trajectory or Series, or an iterable of them"
        ) from None
    for run in map(totals_of, each):
        first = first or run
        _check_run(run, first, currents)
        spacing = (run.times[-1] - run.times[0]) / (run.times.size - 1)
        begin, end = math.ceil(low / spacing * (1 - 1e-9)), math.floor(high / spacing * (1 + 1e-9))
        if not (end - begin + 1 >= FEWEST_LAGS and end < run.times.size):
            raise ValueError(
                f"window = {window!r} with outputs every {spacing:.4g} up to {run.times[-1]:.4g}; allowed: "
                f"(low, high) with {FEWEST_LAGS} outputs or more between them, all within the run"
            )
        totals, heat, free = _totals(run, currents)
        parts.append(_correlation(totals, end + 1) / run.chain.n)
        heats.append(heat)
        squares += free * len(heat)
        lost += len(run.lost)
    replicas = sum(map(len, heats))
    if replicas < 2:
        raise ValueError(f"runs holds {replicas} replicas; allowed: at least 2")
    heat = np.concatenate(heats)
    if temperature is not None:
        # a microcanonical start may differ, and Verlet does so by half of this to waves of mean ω² = ⟨F²⟩/T
        force = first.chain.force(first.final.q)
        slack = temperature / (first.chain.n - 1) + first.dt**2 * np.mean(force**2) / 4
        _check_temperature(temperature, heat.mean(), squares, slack)
    samples, scale = np.concatenate(parts), heat.mean() if temperature is None else temperature
    powers = np.array([POWERS[name] for name in currents])
    powers = (powers + powers[:, None]) / 2
    samples = samples / scale**powers
    if temperature is None:  # as far as the temperature is that of the replicas it fluctuates with them
        apart = (heat / scale - 1)[:, None, None, None]
        samples = samples - powers * apart * samples.mean(axis=0)
    if not np.isfinite(samples).all():
        raise ValueError("runs holds momenta of a mean square that is 0 or too small; allowed: larger ones")
    return samples, float(scale), spacing, begin, lost


def _names(currents: object) -> tuple[str, ...]:
    """The argument `currents`, checked."""
    if isinstance(currents, str):
        return (_check.one_of("currents", currents, POWERS),)
    whole = isinstance(currents, (tuple, list)) and len(currents) > 0
    if not whole or len(set(map(str, currents))) < len(currents):
        raise ValueError(
            f"currents = {_check.shown(currents)}; allowed: one of {', '.join(map(repr, POWERS))}, or both"
        )
    return tuple(_check.one_of("currents", name, POWERS) for name in currents)


@_check.finite
def green_kubo(
    runs: Trajectory | Series | Iterable[Trajectory | Series],
    currents: str | Sequence[str] = "energy_current",
    *,
    window: tuple[float, float],
    temperature: float | None = None,
) -> GreenKubo:
    r"""The Green-Kubo coefficient of a ring in equilibrium, with an honest plateau.

    .. math:: \kappa = \frac{1}{nT^2} \int_0^\infty \langle J(t) J(0) \rangle\, dt ,
              \qquad J = -\frac12 \sum_j (p_j + p_{j+1}) V'(r_j) ,

    is the heat conductivity.  With the total momentum current :math:`-\sum_j V'(r_j)` and 1/nT in
    place of :math:`1/nT^2` it is the diffusion coefficient of the momentum.

    The average runs over all times of a run; every replica gives one sample, and errors come from
    the spread between replicas.  Where the dynamics conserves the total momentum, J is taken in the
    frame in which this is 0: a ring that drifts carries heat along for ever.

    Two replicas are enough for an error bar, ten or more for a plateau to be trusted: an error bar from a few
    is itself so uncertain that a plateau has to be far better known.

    Parameters
    ----------
    runs : Trajectory or Series, or iterable of them
        Rings that start in equilibrium, with equidistant times.  An iterable is consumed one by one: a
        generator never holds more than one of them in memory, and each may go on where the last has ended.
    currents : {"energy_current", "momentum_current"}, or a sequence of both
        Of a sequence all correlations are found: the result has two more axes, the current at the time t and
        that at 0; 1/nT to the power 3/2 stands before those of different ones.
    window : (float, float)
        First and last lag at which to read the running integral, 8 outputs or more; at most the
        duration of a run, and better a small part of it.
    temperature : float, optional
        Of the ensemble, above 0: κ is wrong by the square of a wrong one.  By default that of the
        momenta of the runs; the errors then say how well it is known.

    Returns
    -------
    GreenKubo

    Raises
    ------
    ValueError
        If a run is none of a ring without baths, they differ in chain, noise or times, times are not
        equidistant, there are fewer than 2 replicas in all, or a number is not allowed.  If the momentum
        current is asked for where the momentum is not kept, or V is not even.  If the mean
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
    ``exact_kappa(chain, noise).carried``.

    What lies beyond the window is not seen.  A correlation that decays as :math:`t^{-3/2}`
    leaves out, with b = 2a, six times what moves between the halves, and that may hide in the error bar.
    """
    if temperature is not None:
        temperature = _check.number("temperature", temperature, above=0)
    names = _names(currents)
    low, high = window = _check.bounds("window", window, least=0)
    correlation, temperature, spacing, begin, lost = _samples(runs, names, temperature, window)
    if isinstance(currents, str):
        correlation = correlation[:, :, 0, 0]
    end = correlation.shape[1] - 1
    running = scipy.integrate.cumulative_simpson(correlation, dx=spacing, axis=1, initial=0)
    coarse = scipy.integrate.cumulative_simpson(correlation[:, ::2], dx=2 * spacing, axis=1, initial=0)
    even = np.arange(begin + begin % 2, end + 1, 2)
    sparser = mean((coarse[:, even // 2] - running[:, even]).mean(axis=1)).value

    inside = running[:, begin:]
    half = inside.shape[1] // 2
    drift = mean(inside[:, -half:].mean(axis=1) - inside[:, :half].mean(axis=1))
    level = mean(inside.mean(axis=1))
    plateau = Estimate(
        level.value,
        level.stderr,
        f"Green-Kubo integral of {len(running)} replicas{f' ({lost} lost)' * (lost > 0)}, "
        f"read at {low:g} ≤ t ≤ {high:g}",
        np.hypot(drift.value, sparser),
    )
    lags = spacing * np.arange(end + 1)
    lags.setflags(write=False)
    result = GreenKubo(lags, mean(correlation), mean(running), plateau, window, temperature, currents)
    errors = _student(DOUBTED, len(running))
    doubts = []
    if np.any(np.abs(drift.value) > errors * drift.stderr):
        doubts.append(f"the integral moves by {drift:c} within it")
    hidden = np.atleast_2d(errors * np.asarray(level.stderr) > np.abs(level.value))
    if np.any(np.diagonal(hidden)):  # a cross correlation may be 0
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
