"""Harmonic crystals in motion: exactly, and with noise that turns the relative momentum of neighbours."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _check
from .._check import finite, generator, instance, number, shown, work
from .._kernels.pairs import store, turn_pairs
from .._kernels.random import streams
from ..branches import shape_of, to_branches
from ..chain import Chain, State, canonical, started
from ..crystal import MOST_NUMBERS, Crystal
from ..noise import PairRotation
from ..waves import dispersion

__all__ = ["CrystalTrajectory", "evolve", "propagate"]

FASTEST = 1 / 8  # rate · dt at most: the pairs of a site turn one after another (see the notes of `evolve`)
MOST_TURNS = 1e13  # of pairs: a day or two


@dataclass(frozen=True, eq=False)
class CrystalTrajectory:
    """States of an ensemble of crystals at chosen times, and the inputs that made them.

    Attributes
    ----------
    q, p : ``(times, replicas, d, *shape)`` array
        Displacements and momenta.
    times : (times,) array
        Since the start.
    crystal, dt, noise
        What was evolved and how; `dt` is the longest step allowed.
    seed : numpy.random.SeedSequence
        Where the random numbers came from: given as `rng`, it makes the same run again, any number of times.
    """

    q: NDArray[np.float64]
    p: NDArray[np.float64]
    times: NDArray[np.float64]
    crystal: Crystal
    dt: float
    noise: PairRotation
    seed: np.random.SeedSequence
    __repr__ = _check.brief


def _half(omega: NDArray[np.float64]) -> NDArray[np.float64]:
    """The wave numbers that a Fourier transform of real fields keeps."""
    return omega[..., : omega.shape[-1] // 2 + 1]


def _phases(omega: NDArray[np.float64], time: float) -> tuple[NDArray[np.float64], ...]:
    """What `_move` multiplies with; worth keeping if many moves take the same time."""
    half = _half(omega)
    sine = np.sin(half * time)
    return np.cos(half * time), time * np.sinc(half * time / np.pi), half * sine


def _move(
    medium: Chain | Crystal, q: NDArray[np.float64], p: NDArray[np.float64], factors: tuple[NDArray, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`propagate` without its checks."""
    axes = tuple(range(-len(shape_of(medium)), 0))
    cosine, slide, push = factors  # cos ωt, sin(ωt)/ω, ω sin ωt
    shape = [q.shape[axis] for axis in axes]
    q, p = (to_branches(medium, np.fft.rfftn(x, axes=axes)) for x in (q, p))
    new_q, new_p = q * cosine + p * slide, p * cosine - q * push
    new_q, new_p = (to_branches(medium, x, back=True) for x in (new_q, new_p))
    return np.fft.irfftn(new_q, s=shape, axes=axes), np.fft.irfftn(new_p, s=shape, axes=axes)


@finite
def propagate(
    medium: Chain | Crystal, q: ArrayLike, p: ArrayLike, time: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""The state at another time: :math:`\hat q(t) = \hat q \cos\omega t + \hat p \sin(\omega t)/\omega`.

    In each branch of waves, if there are several.

    Parameters
    ----------
    medium : Chain or Crystal
        A crystal, or a uniform harmonic ring.
    q, p : array_like
        Displacements and momenta, (..., n) of a chain, ``(..., *shape)`` of a crystal,
        ``(..., components, *shape)`` if it is not scalar.
    time : float
        Positive or negative.

    Returns
    -------
    q, p : arrays
        Exact up to round-off, at any time.

    Raises
    ------
    ValueError
        If the chain is no uniform harmonic ring, shapes do not fit, or a number is not finite.
    """
    omega = dispersion(medium)
    if isinstance(medium, Chain) and not (medium.periodic and medium.is_harmonic):
        raise ValueError(
            "chain is not a harmonic ring; allowed: boundary 'periodic', no anharmonic coefficient"
        )
    q, p = canonical(medium, q, p)
    return _move(medium, q, p, _phases(omega, number("time", time)))


def _one(
    job: tuple[NDArray, NDArray, NDArray],
    crystal: Crystal,
    rate: float,
    times: NDArray[np.float64],
    dt: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One replica: half of the flight, all noise, half of the flight."""
    q, p, stream = job
    omega, d = dispersion(crystal), crystal.d
    first, second = crystal.pairs
    kept = store(d, first.size)
    # a step and half of one: intervals between outputs may all differ a little
    phases = lru_cache(maxsize=4)(partial(_phases, omega))
    kept_q, kept_p = np.empty((2, times.size, *q.shape))
    forward = True
    for i, (count, h) in enumerate(zip(*_check.steps(times, dt), strict=True)):
        if count:
            q, p = _move(crystal, q, p, phases(h / 2))
        for step in range(int(count)):
            flat = np.ascontiguousarray(p).reshape(d, -1)
            turn_pairs(flat, first, second, math.sqrt(8 * rate * h / (d - 1)), forward, stream[None], kept)
            p, forward = flat.reshape(p.shape), not forward
            q, p = _move(crystal, q, p, phases(h if step < count - 1 else h / 2))
        kept_q[i], kept_p[i] = q, p
    return kept_q, kept_p


def evolve(
    crystal: Crystal,
    start: State,
    times: ArrayLike,
    *,
    noise: PairRotation,
    dt: float,
    rng: np.random.Generator | int,
    map: Callable = builtins.map,
) -> CrystalTrajectory:
    """Evolve an ensemble of crystals with noise, and return its states at given times.

    Parameters
    ----------
    crystal : Crystal
        What is simulated, scalar and in two or three dimensions, with as many components.
    start : State
        The ensemble at time 0.
    times : (m,) array_like
        Ascending, not negative.
    noise : PairRotation
        Acts on all pairs of nearest neighbours.
    dt : float
        Longest step, at most 1/8γ at the rate γ of the noise.
    rng : numpy.random.Generator or int
        A generator or a seed.  Each replica has a stream of its own.
    map : callable
        Like the builtin, that of a thread pool for example; called over replicas.  The result does not
        depend on it.

    Returns
    -------
    CrystalTrajectory
        The states, and the inputs.

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
    if crystal.d < 2:
        raise ValueError(f"shape = {crystal.shape} with noise; allowed: 2 or 3 dimensions, where it can turn")
    if not crystal.is_scalar or crystal.components != crystal.d:
        raise ValueError(
            f"crystal = {shown(crystal)} with noise; allowed: a scalar crystal with {crystal.d} components"
        )
    started(start, (crystal.d, *crystal.shape))
    q, p, times = start.q, start.p, _check.times(times)
    rate = instance("noise", noise, PairRotation, "a PairRotation").rate
    dt, rng = number("dt", dt, above=0), generator(rng)
    map = instance("map", map, Callable, "a callable like the builtin map")
    if rate * dt > FASTEST * (1 + 1e-9):
        raise ValueError(
            f"dt = {dt!r} with noise = {noise!r}; allowed: at most {FASTEST / rate:.4g}, where long "
            "waves are damped 5 % too slowly"
        )
    work("times", times, 2.0 * times.size * q.size, MOST_NUMBERS)
    steps = float(times[-1]) / dt
    if not steps <= (most := MOST_TURNS / q.size):
        raise ValueError(
            f"times = {shown(times)} with dt = {dt!r} need {steps:.1e} steps; allowed: at most {most:.0e}"
        )
    seed = deepcopy(rng.bit_generator.seed_seq)
    jobs = zip(q, p, streams(rng.bit_generator.seed_seq, len(q)), strict=True)
    runs = map(partial(_one, crystal=crystal, rate=rate, times=times, dt=dt), jobs)
    run_q, run_p = zip(*runs, strict=True)
    return CrystalTrajectory(
        np.stack(run_q, axis=1), np.stack(run_p, axis=1), times, crystal, dt, noise, seed
    )
