"""Velocity Verlet with noise on a harmonic ring: flips, exchanges, rotations of three."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numba
import numpy as np

from lattice import Chain, State, ThreeSiteRotation, VelocityExchange, VelocityFlip
from lattice.micro.evolution import evolve

from .measure import Comparison, interleaved

DT = 0.05
WORK = 6_000_000  # site-steps in one timed call
RATE = 0.2  # a flip, or an exchange, in every hundred site-steps
CHANCE = (1 - math.exp(-2 * RATE * DT)) / 2


@numba.njit
def step(q, p):
    """A step of one ring, as one writes it first in loops."""
    n = q.size
    for j in range(n):
        p[j] += DT * (q[(j + 1) % n] - 2 * q[j] + q[(j - 1) % n])
    for j in range(n):
        q[j] += DT * p[j]


@numba.njit
def naive_flips(q, p, steps):
    """A random number for every site."""
    for _ in range(steps):
        step(q, p)
        for j in range(q.size):
            if np.random.random() < CHANCE:  # noqa: NPY002
                p[j] = -p[j]


@numba.njit
def naive_exchange(q, p, steps):
    """A random number for every bond."""
    n = q.size
    for _ in range(steps):
        step(q, p)
        for colour in range(2):
            for j in range(colour, n, 2):
                if np.random.random() < CHANCE:  # noqa: NPY002
                    p[j], p[(j + 1) % n] = p[(j + 1) % n], p[j]


@numba.njit
def naive_rotation(q, p, steps):
    """All in one loop."""
    n = q.size
    scale = math.sqrt(RATE * DT)
    for _ in range(steps):
        step(q, p)
        for colour in range(3):
            for j in range(colour, n, 3):
                a, b, c = j, (j + 1) % n, (j + 2) % n
                angle = scale * np.random.standard_normal()  # noqa: NPY002
                mean, s = (p[a] + p[b] + p[c]) / 3, math.sin(angle) / math.sqrt(3)
                x, y, z = p[a] - mean, p[b] - mean, p[c] - mean
                p[a] = mean + math.cos(angle) * x + s * (z - y)
                p[b] = mean + math.cos(angle) * y + s * (x - z)
                p[c] = mean + math.cos(angle) * z + s * (y - x)


def numpy_step(q: np.ndarray, p: np.ndarray) -> None:
    """The same with whole arrays."""
    r = np.roll(q, -1) - q
    p += DT * (r - np.roll(r, 1))
    q += DT * p


def numpy_flips(q: np.ndarray, p: np.ndarray, steps: int, rng: np.random.Generator) -> None:
    """A random number for every site."""
    for _ in range(steps):
        numpy_step(q, p)
        p[rng.random(p.size) < CHANCE] *= -1


def numpy_exchange(q: np.ndarray, p: np.ndarray, steps: int, rng: np.random.Generator) -> None:
    """A random number for every bond."""
    for _ in range(steps):
        numpy_step(q, p)
        for colour in range(2):
            j = np.arange(colour, p.size, 2)
            j = j[rng.random(j.size) < CHANCE]
            k = (j + 1) % p.size
            p[j], p[k] = p[k], p[j]


def numpy_rotation(q: np.ndarray, p: np.ndarray, steps: int, rng: np.random.Generator) -> None:
    """Colour by colour."""
    scale = math.sqrt(RATE * DT)
    for _ in range(steps):
        numpy_step(q, p)
        for colour in range(3):
            j = (np.arange(colour, p.size, 3)[:, None] + np.arange(3)) % p.size
            v = p[j]
            angle = scale * rng.standard_normal((len(j), 1))
            mean = v.mean(axis=1, keepdims=True)
            turned = np.roll(v, -2, axis=1) - np.roll(v, -1, axis=1)
            p[j] = mean + np.cos(angle) * (v - mean) + np.sin(angle) / math.sqrt(3) * turned


def comparisons() -> Iterator[Comparison]:
    """One ring whose length is a multiple of 6."""
    # targets: what remains of the speed without noise, and over naive numba and numpy
    kinds = {
        "flips": (VelocityFlip, naive_flips, numpy_flips, (0.69, None, None)),
        "exchange": (VelocityExchange, naive_exchange, numpy_exchange, (0.27, 2.5, None)),
        "rotation": (ThreeSiteRotation, naive_rotation, numpy_rotation, (0.058, 2.0, 20.0)),
    }
    n = 1020
    rng = np.random.default_rng(0)
    start = State(np.zeros(n), rng.standard_normal(n))
    steps = WORK // n
    few, some = steps // 40, steps // 8
    for name, (kind, naive, whole, asked) in kinds.items():
        a, b, c, d = (array[0].copy() for array in (start.q, start.p) * 2)
        ours = partial(evolve, Chain(n), start, [steps * DT], dt=DT)
        work: dict[str, tuple[Callable[[], object], float]] = {
            "ours": (partial(ours, noise=kind(RATE), rng=1), n * steps),
            "ours without noise": (ours, n * steps),
            "naive numba": (partial(naive, a, b, some), n * some),
            "numpy": (partial(whole, c, d, few, rng), n * few),
        }
        times = interleaved(work)
        targets = dict(zip(("ours without noise", "naive numba", "numpy"), asked, strict=True))
        for rival, ns in times.items():
            if rival != "ours":
                yield Comparison(f"ring, {name}", f"{n}", rival, times["ours"], ns, targets.get(rival))
