"""Standard Gaussian variates, a buffer at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numba
import numpy as np

from lattice._kernels.random import fill_normal, streams

from .measure import Comparison, interleaved

SIZE = 2048
TIMES = 200


@numba.njit
def ours(state, bits, out, times):
    """Our filler, called from compiled code as the kernels do."""
    for _ in range(times):
        fill_normal(state, bits, out)


@numba.njit
def naive(out, times):
    """Numba's own global generator."""
    for _ in range(times):
        for i in range(out.size):
            out[i] = np.random.standard_normal()  # noqa: NPY002


@numba.njit
def with_generator(rng, out, times):
    """A numpy Generator inside compiled code."""
    for _ in range(times):
        for i in range(out.size):
            out[i] = rng.standard_normal()


def from_numpy(rng: np.random.Generator, out: np.ndarray) -> None:
    """numpy's ziggurat."""
    for _ in range(TIMES):
        rng.standard_normal(out=out)


def comparisons() -> Iterator[Comparison]:
    """One buffer size, that of the baths."""
    rng, out = np.random.default_rng(0), np.empty(SIZE)
    state, bits = streams(np.random.SeedSequence(0), 1)[0], np.empty(SIZE, np.uint64)
    units = SIZE * TIMES
    times = interleaved(
        {
            "ours": (lambda: ours(state, bits, out, TIMES), units),
            "numpy": (lambda: from_numpy(rng, out), units),
            "naive numba": (lambda: naive(out, TIMES), units),
            "numba with a Generator": (lambda: with_generator(rng, out, TIMES), units),
        }
    )
    for name, ns in times.items():
        if name != "ours":
            target = 8.0 if name == "numpy" else None
            yield Comparison("Gaussian", f"{SIZE}", name, times["ours"], ns, target, "variate")
