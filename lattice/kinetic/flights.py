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

from .._kernels import flights as _flights
from ..model import Chain, ThreeSiteRotation, VelocityExchange, VelocityFlip
from ..waves import group_velocity
from .boltzmann import _ascending
from .phonons import Noise, _medium

__all__ = ["fly"]

KINDS = {
    VelocityFlip: _flights.VELOCITY_FLIP,
    VelocityExchange: _flights.VELOCITY_EXCHANGE,
    ThreeSiteRotation: _flights.THREE_SITE_ROTATION,
}
BLOCK = 2**16  # flights that share a stream of random numbers


def _block(
    job: tuple[NDArray, np.random.Generator],
    chain: Chain,
    medium: tuple[float, float],
    noise: Noise,
    times: NDArray[np.float64],
) -> NDArray[np.float64]:
    k, rng = job
    out = np.empty((times.size, k.size))
    sine_squared = np.sin(np.pi * k) ** 2
    velocity = group_velocity(chain, k)
    _flights.fly(KINDS[type(noise)], float(noise.rate), *medium, times, sine_squared, velocity, out, rng)
    return out


def fly(
    chain: Chain,
    noise: Noise,
    times: ArrayLike,
    size: int,
    *,
    rng: np.random.Generator | int,
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
    rng : numpy.random.Generator or int
        A generator or a seed.
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
        If an argument is not as stated.
    """
    if type(noise) not in KINDS:
        raise ValueError(
            f"noise = {noise!r}; allowed: a VelocityFlip, a VelocityExchange or a ThreeSiteRotation"
        )
    medium = _medium(chain)
    times = _ascending(times)
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise ValueError(f"size = {size!r}; allowed: an integer of at least 1")
    seed = isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0
    if not (seed or isinstance(rng, np.random.Generator)):
        raise ValueError(
            f"rng = {rng!r}; allowed: a numpy.random.Generator or a seed, an integer, not negative"
        )
    rng = np.random.default_rng(rng)
    if start is None:
        k = rng.random(size)
    else:
        k = np.asarray(start, dtype=np.float64)
        if k.shape not in ((), (size,)) or not np.isfinite(k).all():
            raise ValueError(f"start has shape {k.shape}; allowed: one or {size} finite wave numbers")
        k = np.broadcast_to(k, size)
    blocks = [k[i : i + BLOCK] for i in range(0, size, BLOCK)]
    jobs = zip(blocks, rng.spawn(len(blocks)), strict=True)
    fly_block = partial(_block, chain=chain, medium=medium, noise=noise, times=times)
    out = np.empty((times.size, size))
    for i, part in enumerate(map(fly_block, jobs)):
        out[:, i * BLOCK : (i + 1) * BLOCK] = part
    return out
