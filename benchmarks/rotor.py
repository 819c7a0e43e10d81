"""Velocity Verlet on a ring of rotors, V = 1 - cos r."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from ctypes import c_double, c_long
from functools import partial

import numba
import numpy as np

from lattice import Bond, Chain, State
from lattice.micro.evolution import evolve

from .measure import Comparison, compile_c, interleaved, pointer

DT = 0.05
WORK = 6_000_000

# -ffast-math lets gcc take the vector sine of libmvec.
C_SOURCE = """
#include <math.h>
void rotor(double *restrict q, double *restrict p, double *restrict f, long n, long steps, double h) {
  for (long s = 0; s < steps; s++) {
    q[n] = q[0];
    for (long j = 0; j < n; j++) f[j + 1] = sin(q[j + 1] - q[j]);
    f[0] = f[n];
    for (long j = 0; j < n; j++) { p[j] += h * (f[j + 1] - f[j]); q[j] += h * p[j]; }
  }
}
"""


def numpy_verlet(q: np.ndarray, p: np.ndarray, steps: int) -> None:
    """What one writes first."""
    for _ in range(steps):
        f = np.sin(np.roll(q, -1) - q)
        p += DT * (f - np.roll(f, 1))
        q += DT * p


@numba.njit
def naive_verlet(q, p, steps):
    """What one writes second."""
    n = q.size
    for _ in range(steps):
        for j in range(n):
            p[j] += DT * (math.sin(q[(j + 1) % n] - q[j]) - math.sin(q[j] - q[(j - 1) % n]))
        for j in range(n):
            q[j] += DT * p[j]


def comparisons() -> Iterator[Comparison]:
    """Rings of three sizes."""
    library = compile_c(C_SOURCE)
    for n in (64, 1024, 65536):
        steps = max(2, WORK // n)
        start = State(np.zeros(n), np.random.default_rng(0).standard_normal(n))
        chain = Chain(n, Bond.rotor())
        few, some = max(1, steps // 50), max(1, steps // 20)
        q, p = start.q.copy(), start.p.copy()
        work: dict[str, tuple[Callable[[], object], float]] = {
            "ours": (partial(evolve, chain, start, [steps * DT], dt=DT), n * steps),
            "numpy": (partial(numpy_verlet, q[0], p[0], few), n * few),
            "naive numba": (partial(naive_verlet, q[0].copy(), p[0].copy(), some), n * some),
        }
        if library is not None:
            arrays = (np.zeros(n + 1), start.p[0].copy(), np.zeros(n + 1))
            call = partial(library.rotor, *map(pointer, arrays), c_long(n), c_long(steps), c_double(DT))
            work["C with libmvec"] = (call, n * steps)
        times = interleaved(work)
        for name, ns in times.items():
            if name != "ours":
                target = 1 / 1.1 if name.startswith("C") else None
                yield Comparison("rotor chain", f"{n}", name, times["ours"], ns, target)
