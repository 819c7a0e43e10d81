"""The chain in a plane with exact springs."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numba
import numpy as np

from lattice._kernels.planar import march

from .measure import Comparison, interleaved

WORK = 2e6  # site-steps
STEP, STIFFNESS, NATURAL, PINS = 0.05, 4.0, 0.75, (0.3, 0.2)
KICKS, DRIFTS = np.array([0.5, 0.5]), np.array([1.0])


@numba.njit
def naive(q, p, steps):
    """All forces, one spring at a time, then all sites."""
    n = q.shape[1]
    force = np.empty((2, n))
    for step in range(steps + 1):
        for j in range(n):
            force[0, j], force[1, j] = -PINS[0] * q[0, j], -PINS[1] * q[1, j]
        for j in range(n):
            k = (j + 1) % n
            along, across = 1 + q[0, k] - q[0, j], q[1, k] - q[1, j]
            pull = STIFFNESS * (1 - NATURAL / math.sqrt(along * along + across * across))
            force[0, j] += pull * along
            force[0, k] -= pull * along
            force[1, j] += pull * across
            force[1, k] -= pull * across
        kick = STEP if 0 < step < steps else STEP / 2
        for i in range(2):
            for j in range(n):
                p[i, j] += kick * force[i, j]
                if step < steps:
                    q[i, j] += STEP * p[i, j]


def with_numpy(q: np.ndarray, p: np.ndarray, steps: int) -> None:
    """The same, whole rows at a time."""
    pins = np.array(PINS)[:, None]
    for step in range(steps + 1):
        r = np.roll(q, -1, axis=1) - q
        r[0] += 1
        pull = STIFFNESS * (1 - NATURAL / np.sqrt((r * r).sum(axis=0))) * r
        p += (STEP if 0 < step < steps else STEP / 2) * (pull - np.roll(pull, 1, axis=1) - pins * q)
        if step < steps:
            q += STEP * p


def ours(q: np.ndarray, p: np.ndarray, steps: int) -> None:
    """As `planar.evolve` does between two outputs."""
    march(q[None], p[None], KICKS, DRIFTS, steps, STEP, STIFFNESS, NATURAL, *PINS)


def comparisons() -> Iterator[Comparison]:
    """A short ring and a long one."""
    for n in (64, 1024):
        work = {}
        for name, function, ghosts in (
            ("ours", ours, 2),
            ("numpy", with_numpy, 0),
            ("naive numba", naive, 0),
        ):
            steps = int(WORK / n / (20 if function is with_numpy else 1))
            state = 0.05 * np.random.default_rng(0).standard_normal((2, 2, n + ghosts))
            call = lambda function=function, state=state, steps=steps: function(*state, steps)  # noqa: E731
            work[name] = call, n * steps
        times = interleaved(work)
        for name, target in (("numpy", 7.0), ("naive numba", 1.7)):
            yield Comparison("plane, Verlet", f"{n}", name, times["ours"], times[name], target)
