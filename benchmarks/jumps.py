"""Flights of phonons, and the turns of a crystal's relative momenta."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numba
import numpy as np

from lattice import Chain, Crystal, Pin, ThreeSiteRotation
from lattice._kernels.pairs import store, turn_pairs
from lattice._kernels.random import streams
from lattice.kinetic import flights

from .measure import Comparison, interleaved

TIME = 10.0  # of a flight
HIGHEST = 8 / 3  # of the kernel, at s = 1 and s' = 1/2


@numba.njit
def kernel(s, u):
    """R of the rotation at rate 1."""
    return 32 / 3 * s * u * (s * (1 - u) + u * (1 - s))


@numba.njit
def naive_flights(size):
    """Each jump by rejection, wave numbers and sines, as one writes it first."""
    total = 0.0
    for _ in range(size):
        k, x, now = np.random.random(), 0.0, 0.0  # noqa: NPY002
        while now < TIME:
            s = math.sin(math.pi * k) ** 2
            v = math.sin(2 * math.pi * k) / math.sqrt(1 + 4 * s)
            phi = 4 / 3 * s * (3 - 2 * s)
            wait = min(np.random.exponential(1 / phi), TIME - now)  # noqa: NPY002
            x, now = x + v * wait, now + wait
            while now < TIME:
                k = np.random.random()  # noqa: NPY002
                if np.random.random() * HIGHEST < kernel(s, math.sin(math.pi * k) ** 2):  # noqa: NPY002
                    break
        total += x
    return total


def numpy_flights(size: int, rng: np.random.Generator) -> np.ndarray:
    """All phonons at once, with candidates of jumps at the highest rate."""
    k, x, left = rng.random(size), np.zeros(size), np.full(size, TIME)
    while True:
        flying = np.flatnonzero(left > 0)
        if flying.size == 0:
            return x
        s = np.sin(np.pi * k[flying]) ** 2
        v = np.sin(2 * np.pi * k[flying]) / np.sqrt(1 + 4 * s)
        wait = np.minimum(rng.exponential(1 / HIGHEST, flying.size), left[flying])
        x[flying] += v * wait
        left[flying] -= wait
        new = rng.random(flying.size)
        u = np.sin(np.pi * new) ** 2
        jumps = rng.random(flying.size) * HIGHEST < 32 / 3 * s * u * (s * (1 - u) + u * (1 - s))
        k[flying[jumps]] = new[jumps]


def numpy_turns(p: np.ndarray, spread: float, rng: np.random.Generator) -> None:
    """Disjoint pairs of a (3, n, n, n) array at once, n even."""
    for axis in (1, 2, 3):
        for start in (0, 1):
            a = np.moveaxis(np.roll(p, -start, axis=axis), axis, 1)
            left, right = a[:, 0::2].copy(), a[:, 1::2].copy()
            mean, u = (left + right) / 2, (right - left) / 2
            for i, j in ((0, 1), (0, 2), (1, 2)):
                angle = spread * rng.standard_normal(u.shape[1:])
                c, s = np.cos(angle), np.sin(angle)
                u[i], u[j] = c * u[i] + s * u[j], c * u[j] - s * u[i]
            a[:, 0::2], a[:, 1::2] = mean - u, mean + u
            p[:] = np.roll(np.moveaxis(a, 1, axis), start, axis=axis)


def comparisons() -> Iterator[Comparison]:
    """A million flights, and a cube of 16³ sites."""
    size, few, some = 1_000_000, 20_000, 100_000
    chain, noise = Chain(8, pin=Pin(chi=1.0)), ThreeSiteRotation(1.0)
    rng = np.random.default_rng(0)
    jumps = TIME  # on average one a unit of time
    work: dict[str, tuple[Callable[[], object], float]] = {
        "ours": (partial(flights.simulate, chain, noise, [TIME], size, rng=1), size * jumps),
        "naive numba": (partial(naive_flights, some), some * jumps),
        "numpy": (partial(numpy_flights, few, rng), few * jumps),
    }
    times = interleaved(work)
    for rival in ("naive numba", "numpy"):
        yield Comparison("flights", f"{size}", rival, times["ours"], times[rival], None, "jump")
    crystal = Crystal((16, 16, 16))
    first, second = crystal.pairs
    sites, stream = first.size // 3, streams(np.random.SeedSequence(0), 1)
    p, whole = rng.standard_normal((3, sites)), rng.standard_normal((3, 16, 16, 16))
    work = {
        "ours": (partial(turn_pairs, p, first, second, 0.1, True, stream, store(3, first.size)), sites),
        "numpy": (partial(numpy_turns, whole, 0.1, rng), sites),
    }
    times = interleaved(work)
    yield Comparison("crystal, all turns", "16³", "numpy", times["ours"], times["numpy"], None, "site")
