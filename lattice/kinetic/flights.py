r"""The phonon as a particle: it flies at its group velocity and is scattered at random.

Basile, Olla and Spohn read the Boltzmann equation (25) as the law of a Markov process: a phonon of wave
number k moves at :math:`\omega'(k)/2\pi`, waits for an exponential time of rate :math:`\phi(k)` and
jumps to k' with the density :math:`R(k, k')/\phi(k)`.  Here that process is sampled exactly: there is no
time step.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._check import generator, instance, integer, reals, shown, work
from .._kernels import flights as _flights
from ..chain import Chain
from ..waves import group_velocity
from ._scattering import MOST, Noise, jumps, medium_of, sine_squared, strength
from .transport import _ascending

__all__ = ["simulate"]

BLOCK = 2**16  # flights that share a stream of random numbers
MOST_JUMPS = 1e12  # hours; and each of the times between them has digits left beside the longest time


def _block(
    job: tuple[NDArray, np.random.Generator],
    chain: Chain,
    medium: tuple[float, float],
    noise: Noise,
    times: NDArray[np.float64],
) -> NDArray[np.float64]:
    k, rng = job
    out = np.empty((times.size, k.size))
    velocity = group_velocity(chain, k)
    _flights.fly(jumps(noise), *medium, times, sine_squared("start", k), velocity, out, rng)
    return out


def simulate(
    chain: Chain,
    noise: Noise,
    times: ArrayLike,
    size: int,
    *,
    rng: np.random.Generator | int | np.random.SeedSequence,
    start: ArrayLike | None = None,
    map: Callable = builtins.map,
) -> NDArray[np.float64]:
    r"""Positions of independent phonons that start at 0.

    Parameters
    ----------
    chain : Chain
        A uniform harmonic chain, for the velocities.
    noise : VelocityFlip, VelocityExchange or ThreeSiteRotation
        What scatters, and its rate.
    times : (m,) array_like
        Ascending, not negative.
    size : int
        Number of phonons.
    rng : numpy.random.Generator or seed
        What `numpy.random.default_rng` takes, except None.
    start : array_like, optional
        Wave numbers at time 0, one or `size` of them.  Uniform on [0, 1) unless given: equilibrium.
    map : callable
        Like the builtin, that of a thread pool for example; called over fixed blocks of phonons.  The
        result does not depend on it.

    Returns
    -------
    (m, size) array
        Positions in sites.

    Raises
    ------
    ValueError
        If an argument is not as stated, or the phonons jump more than 1e12 times in all.
    """
    medium, gamma, times = medium_of(chain), strength(noise), _ascending(times)
    size = integer("size", size, least=1, most=int(MOST))
    work("size", size, size * float(times.size), MOST)
    work("times", times, size * 2 * gamma * times[-1], MOST_JUMPS)
    instance("map", map, Callable, "a callable like the builtin")
    rng = generator(rng)
    k = rng.random(size) if start is None else reals("start", start)
    if k.shape not in ((), (size,)):
        raise ValueError(f"start has shape {k.shape}; allowed: one wave number or size = {size}")
    k = np.broadcast_to(k, size)
    blocks = [k[i : i + BLOCK] for i in range(0, size, BLOCK)]
    jobs = zip(blocks, rng.spawn(len(blocks)), strict=True)
    fly_block = partial(_block, chain=chain, medium=medium, noise=noise, times=times)
    out, done = np.empty((times.size, size)), 0
    for part in map(fly_block, jobs):
        out[:, done : done + part.shape[1]] = part
        done += part.shape[1]
    if done < size:
        raise ValueError(f"map = {shown(map)} left out {size - done} phonons; allowed: like the builtin")
    return out
