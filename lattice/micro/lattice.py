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
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._kernels.pairs import store, turn_pairs
from .._kernels.random import streams
from . import wavefield

__all__ = ["Crystal", "evolve", "thermal"]


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
        whole = all(
            isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= 3 for n in self.shape
        )
        if len(self.shape) not in (2, 3) or not whole:
            raise ValueError(f"shape = {self.shape!r}; allowed: 2 or 3 integers of at least 3")
        for name, least in (("chi", "above 0"), ("pin", "not negative")):
            value = getattr(self, name)
            real = isinstance(value, numbers.Real) and math.isfinite(value)
            if not real or value < 0 or (name == "chi" and value == 0):
                raise ValueError(f"{name} = {value!r}; allowed: a finite number, {least}")

    @property
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
        array = np.asarray(array, dtype=np.float64)
        d = len(self.shape)
        if array.ndim != d + 2 or array.shape[1:] != (d, *self.shape) or not np.isfinite(array).all():
            raise ValueError(
                f"{name} has shape {array.shape}; allowed: (replicas, {d}, *{self.shape}), all entries finite"
            )
        return array

    def energy(self, q: ArrayLike, p: ArrayLike) -> NDArray[np.float64]:
        """Energy of each replica; q and p have the shape ``(replicas, d, *shape)``."""
        q, p = self.on_sites("q", q), self.on_sites("p", p)
        axes = tuple(range(1, q.ndim))
        stretched = sum(((np.roll(q, -1, axis=i) - q) ** 2).sum(axis=axes) for i in axes[1:])
        return ((p**2).sum(axis=axes) + self.pin * (q**2).sum(axis=axes) + self.chi * stretched) / 2


def thermal(
    crystal: Crystal, temperature: float, replicas: int, rng: np.random.Generator | int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Displacements and momenta in the canonical ensemble, ``(replicas, d, *shape)`` each.

    Without a pin the centre of mass is at rest at 0: its wave has no spring to hold it.

    Raises
    ------
    ValueError
        If the temperature is not above 0, there is no replica, or `rng` is neither a generator nor a seed.
    """
    if not (isinstance(temperature, numbers.Real) and math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature = {temperature!r}; allowed: a finite number above 0")
    if isinstance(replicas, bool) or not isinstance(replicas, (int, np.integer)) or replicas < 1:
        raise ValueError(f"replicas = {replicas!r}; allowed: an integer of at least 1")
    rng = _generator(rng)
    d, omega = len(crystal.shape), crystal.frequencies
    axes = tuple(range(2, 2 + d))
    q, p = np.sqrt(temperature) * rng.standard_normal((2, replicas, d, *crystal.shape))
    soft = omega == 0
    inverse = np.divide(1.0, omega, out=np.zeros_like(omega), where=~soft)
    q = np.fft.ifftn(np.fft.fftn(q, axes=axes) * inverse, axes=axes).real
    if soft.any():
        p = p - p.mean(axis=axes, keepdims=True)
    return q, p


def _generator(rng: np.random.Generator | int) -> np.random.Generator:
    seed = isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0
    if not (seed or isinstance(rng, np.random.Generator)):
        raise ValueError(
            f"rng = {rng!r}; allowed: a numpy.random.Generator or a seed, an integer, not negative"
        )
    return np.random.default_rng(rng)


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
        Longest step.  Only the noise and the flight do not commute: each is exact.  With γ dt = 1/16 long
        waves are damped 1.2 % too slowly, with half of that 0.3 %.
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
        If an argument is not as stated.

    Notes
    -----
    Energy and momentum are kept to round-off.  The error is of second order in `dt`: flights are split in
    halves, and the turns, which do not commute, come in the opposite order every other step.
    """
    q, p = crystal.on_sites("q", q), crystal.on_sites("p", p)
    if q.shape != p.shape:
        raise ValueError(f"q has shape {q.shape} and p {p.shape}; allowed: equal shapes")
    times = np.asarray(times, dtype=np.float64)
    ordered = times.ndim == 1 and times.size > 0 and np.isfinite(times).all() and (np.diff(times) >= 0).all()
    if not ordered or times[0] < 0:
        raise ValueError(f"times = {times!r}; allowed: a vector of ascending numbers, not negative")
    for name, value in (("rate", rate), ("dt", dt)):
        real = isinstance(value, numbers.Real) and math.isfinite(value)
        if not real or value < 0 or (name == "dt" and value == 0):
            allowed = "above 0" if name == "dt" else "not negative"
            raise ValueError(f"{name} = {value!r}; allowed: a finite number, {allowed}")
    jobs = zip(q, p, streams(_generator(rng).bit_generator.seed_seq, len(q)), strict=True)
    runs = map(partial(_one, crystal=crystal, rate=rate, times=times, dt=dt), jobs)
    run_q, run_p = zip(*runs, strict=True)
    return np.stack(run_q, axis=1), np.stack(run_p, axis=1)
