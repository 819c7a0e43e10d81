r"""Harmonic crystals in d = 2, 3 dimensions with noise that turns the relative momentum of neighbours.

Every site of a torus has a displacement and a momentum with d components, and the energy is (45) of Basile,
Olla and Spohn,

.. math:: H = \frac12 \sum_y p_y^2 + \frac12 \sum_y \omega_0^2 q_y^2
          + \frac\chi2 \sum_y \sum_{l=1}^d (q_{y + e_l} - q_y)^2 .

The noise (48) keeps the sum and the sum of squares of the momenta of each pair of neighbours.  Along
:math:`X^{i,j}` the relative momentum turns at the angular speed 2, so that in each plane (i, j) a noise of
rate γ turns it by a Gaussian angle of variance :math:`8\gamma t/(d - 1)`.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _check
from .._check import finite, generator, instance, integer, number, reals, shown, work
from .._kernels.pairs import store, turn_pairs
from .._kernels.random import streams
from . import wavefield

__all__ = ["Crystal", "evolve", "thermal"]

FASTEST = 1 / 8  # rate · dt at most: the pairs of a site turn one after another (see the notes of `evolve`)
MOST_TURNS = 1e13  # of pairs: a day or two
MOST_NUMBERS = 1e10  # that are kept: 80 GB


@dataclass(frozen=True)
class Crystal:
    """A harmonic crystal on a torus.

    Parameters
    ----------
    shape : tuple of int
        Sites along each of the d = 2 or 3 directions, at least 3.
    chi, pin : float
        Stiffness χ > 0 of the bonds and ω₀² ≥ 0 of the pins.

    Raises
    ------
    ValueError
        If a number is not as stated.
    """

    shape: tuple[int, ...]
    chi: float = 1.0
    pin: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.shape, (tuple, list)) or len(self.shape) not in (2, 3):
            raise ValueError(f"shape = {shown(self.shape)}; allowed: 2 or 3 integers of at least 3")
        object.__setattr__(self, "shape", tuple(integer("shape", n, least=3, most=10**9) for n in self.shape))
        work("shape", self.shape, math.prod(self.shape), MOST_NUMBERS)
        object.__setattr__(self, "chi", number("chi", self.chi, above=0))
        object.__setattr__(self, "pin", number("pin", self.pin, least=0))

    @property
    @finite
    def frequencies(self) -> NDArray[np.float64]:
        """ω(k) on the grid of wave vectors."""
        waves = np.meshgrid(*(np.arange(n) / n for n in self.shape), indexing="ij")
        return np.sqrt(self.pin + 4 * self.chi * sum(np.sin(np.pi * k) ** 2 for k in waves))

    @property
    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Both sites of all bonds, as flat indices."""
        sites = np.arange(math.prod(self.shape)).reshape(self.shape)
        second = [np.roll(sites, -1, axis=i).ravel() for i in range(len(self.shape))]
        return np.tile(sites.ravel(), len(self.shape)), np.concatenate(second)

    def on_sites(self, name: str, array: ArrayLike) -> NDArray[np.float64]:
        """The argument as an array ``(replicas, d, *shape)``, or a ValueError that names it."""
        array = reals(instance("name", name, str, "a string"), array)
        d = len(self.shape)
        if array.ndim != d + 2 or array.shape[1:] != (d, *self.shape):
            raise ValueError(f"{name} has shape {array.shape}; allowed: (replicas, {d}, *{self.shape})")
        return array

    def _phase_space(self, q: ArrayLike, p: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        q, p = self.on_sites("q", q), self.on_sites("p", p)
        if q.shape != p.shape:
            raise ValueError(f"q has shape {q.shape} and p {p.shape}; allowed: equal shapes")
        return q, p

    @finite
    def energy(self, q: ArrayLike, p: ArrayLike) -> NDArray[np.float64]:
        """Energy of each replica; q and p have the shape ``(replicas, d, *shape)``."""
        q, p = self._phase_space(q, p)
        axes = tuple(range(1, q.ndim))
        stretched = sum(((np.roll(q, -1, axis=i) - q) ** 2).sum(axis=axes) for i in axes[1:])
        return ((p**2).sum(axis=axes) + self.pin * (q**2).sum(axis=axes) + self.chi * stretched) / 2


@finite
def thermal(
    crystal: Crystal, temperature: float, replicas: int, *, rng: np.random.Generator | int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Displacements and momenta in the canonical ensemble, ``(replicas, d, *shape)`` each.

    Without a pin the centre of mass is at rest at 0: its wave has no spring to hold it.

    Raises
    ------
    ValueError
        If the temperature is not above 0, there is no replica, or `rng` is neither a generator nor a seed.
    """
    instance("crystal", crystal, Crystal, "a Crystal")
    temperature = number("temperature", temperature, above=0)
    replicas, rng = integer("replicas", replicas, least=1), generator(rng)
    work("replicas", replicas, 2.0 * replicas * len(crystal.shape) * math.prod(crystal.shape), MOST_NUMBERS)
    d, omega = len(crystal.shape), crystal.frequencies
    axes = tuple(range(2, 2 + d))
    q, p = np.sqrt(temperature) * rng.standard_normal((2, replicas, d, *crystal.shape))
    soft = omega == 0
    inverse = np.divide(1.0, omega, out=np.zeros_like(omega), where=~soft)
    q = np.fft.ifftn(np.fft.fftn(q, axes=axes) * inverse, axes=axes).real
    if soft.any():
        p = p - p.mean(axis=axes, keepdims=True)
    return q, p


def _one(
    job: tuple[NDArray, NDArray, NDArray],
    crystal: Crystal,
    rate: float,
    times: NDArray[np.float64],
    dt: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One replica: half of the flight, all noise, half of the flight."""
    q, p, stream = job
    omega, d = crystal.frequencies, len(crystal.shape)
    axes = tuple(range(-d, 0))
    first, second = crystal.pairs
    kept = store(d, first.size)
    # a step and half of one: intervals between outputs may all differ a little
    phases = lru_cache(maxsize=4)(partial(wavefield.phases, omega))
    kept_q, kept_p = np.empty((2, times.size, *q.shape))
    done, forward = 0.0, True
    for i, until in enumerate(times):
        steps = math.ceil((until - done) / dt - 1e-9)
        h = (until - done) / steps if steps else 0.0
        if steps:
            q, p = wavefield.move(q, p, phases(h / 2), axes)
        for step in range(steps):
            flat = np.ascontiguousarray(p).reshape(d, -1)
            turn_pairs(flat, first, second, math.sqrt(8 * rate * h / (d - 1)), forward, stream[None], kept)
            p, forward = flat.reshape(p.shape), not forward
            q, p = wavefield.move(q, p, phases(h if step < steps - 1 else h / 2), axes)
        done = until
        kept_q[i], kept_p[i] = q, p
    return kept_q, kept_p


def evolve(
    crystal: Crystal,
    q: ArrayLike,
    p: ArrayLike,
    times: ArrayLike,
    *,
    rate: float,
    dt: float,
    rng: np.random.Generator | int,
    map: Callable = builtins.map,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Evolve an ensemble of crystals with pair-rotation noise, generator `rate` · S with S of eq. (48).

    Parameters
    ----------
    crystal : Crystal
        What is simulated.
    q, p : (replicas, d, …) array_like
        The ensemble at time 0.
    times : (m,) array_like
        Ascending, not negative.
    rate : float
        γ, or εγ in the source, not negative.
    dt : float
        Longest step, at most 1/8γ.
    rng : numpy.random.Generator or int
        A generator or a seed.  Each replica has a stream of its own.
    map : callable
        Like the builtin, that of a thread pool for example; called over replicas.  The result does not
        depend on it.

    Returns
    -------
    q, p : (m, replicas, d, …) arrays

    Raises
    ------
    ValueError
        If an argument is not as stated, or it would take more than 10¹³ turns of a pair.

    Notes
    -----
    Energy and momentum are kept to round-off.  The error is of second order in `dt`: flights are split in
    halves, and the turns, which do not commute, come in the opposite order every other step.  With
    γ dt = 1/32 long waves are damped 0.3 % too slowly, with 1/16 1.3 %, with 1/8 5 %.  With longer steps
    momentum would spread at a speed that belongs to the step and not to the noise: they are refused.
    """
    instance("crystal", crystal, Crystal, "a Crystal")
    q, p = crystal._phase_space(q, p)
    times = _check.times(times)
    rate, dt = number("rate", rate, least=0), number("dt", dt, above=0)
    rng, map = generator(rng), instance("map", map, Callable, "a callable like the builtin map")
    if rate * dt > FASTEST * (1 + 1e-9):
        raise ValueError(
            f"dt = {dt!r} at rate = {rate!r}; allowed: at most {FASTEST / rate:.4g}, where long waves are "
            "damped 5 % too slowly"
        )
    work("times", times, 2.0 * times.size * q.size, MOST_NUMBERS)
    steps = float(times[-1]) / dt
    if not steps <= (most := MOST_TURNS / q.size):
        raise ValueError(
            f"times = {shown(times)} with dt = {dt!r} need {steps:.1e} steps; allowed: at most {most:.0e}"
        )
    jobs = zip(q, p, streams(rng.bit_generator.seed_seq, len(q)), strict=True)
    runs = map(partial(_one, crystal=crystal, rate=rate, times=times, dt=dt), jobs)
    run_q, run_p = zip(*runs, strict=True)
    return np.stack(run_q, axis=1), np.stack(run_p, axis=1)
