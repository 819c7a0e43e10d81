"""Velocity Verlet on a ring: one long chain, a short one, ensembles, coefficients that vary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ctypes import CDLL, c_double, c_long
from functools import partial

import numba
import numpy as np

from lattice import Bond, Chain, State
from lattice.micro.evolution import evolve

from .measure import Comparison, compile_c, interleaved, pointer

DT = 0.05
WORK = 20_000_000  # site-steps in one timed call, or more where that is less than 1000 steps
CHI, ALPHA, BETA = 1.0, 0.1, 0.1
LANES = 64

Work = dict[str, tuple[Callable[[], object], float]]
Calls = tuple[dict[str, Callable[[], object]], tuple[np.ndarray, ...]]

# The best we found: out of place without a carried force, the force stored in between, and
# for the ensemble all replicas of a site side by side.
C_SOURCE = f"""
#define LANES {LANES}
#ifdef HARMONIC
#define V(r) (r)
#else
#define V(r) ((r) * (chi + (r) * (alpha + (r) * beta)))
#endif
void out_of_place(double *restrict q, double *restrict p, double *restrict w, long n, long steps,
                  double h, double chi, double alpha, double beta) {{
  double *x = q, *y = w;
  for (long s = 0; s < steps; s++) {{
    x[0] = x[n]; x[n + 1] = x[1];
    #pragma GCC ivdep
    for (long j = 1; j <= n; j++) {{
      double r = x[j + 1] - x[j], l = x[j] - x[j - 1];
      p[j] += h * (V(r) - V(l));
      y[j] = x[j] + h * p[j];
    }}
    double *t = x; x = y; y = t;
  }}
}}
void stored(double *restrict q, double *restrict p, double *restrict f, long n, long steps,
            double h, double chi, double alpha, double beta) {{
  for (long s = 0; s < steps; s++) {{
    q[n] = q[0];
    for (long j = 0; j < n; j++) {{ double r = q[j + 1] - q[j]; f[j + 1] = V(r); }}
    f[0] = f[n];
    for (long j = 0; j < n; j++) {{ p[j] += h * (f[j + 1] - f[j]); q[j] += h * p[j]; }}
  }}
}}
void varied(double *restrict q, double *restrict p, double *restrict w, long n, long steps,
            double h, const double *restrict chi) {{
  double *x = q, *y = w;
  for (long s = 0; s < steps; s++) {{
    x[0] = x[n]; x[n + 1] = x[1];
    #pragma GCC ivdep
    for (long j = 1; j <= n; j++) {{
      p[j] += h * (chi[j] * (x[j + 1] - x[j]) - chi[j - 1] * (x[j] - x[j - 1]));
      y[j] = x[j] + h * p[j];
    }}
    double *t = x; x = y; y = t;
  }}
}}
void ensemble(double *restrict q, double *restrict p, double *restrict f, long n, long steps,
              double h, double chi, double alpha, double beta) {{
  for (long s = 0; s < steps; s++) {{
    for (long l = 0; l < LANES; l++) {{
      double r = q[l] - q[(n - 1) * LANES + l];
      q[n * LANES + l] = q[l];
      f[l] = V(r);
    }}
    for (long j = 0; j < n; j++) {{
      double *restrict a = q + j * LANES, *restrict b = a + LANES, *restrict v = p + j * LANES;
      #pragma GCC ivdep
      for (long l = 0; l < LANES; l++) {{
        double r = b[l] - a[l], g = V(r);
        v[l] += h * (g - f[l]);
        a[l] += h * v[l];
        f[l] = g;
      }}
    }}
  }}
}}
"""


def numpy_verlet(q: np.ndarray, p: np.ndarray, steps: int, chi: float, alpha: float, beta: float) -> None:
    """What one writes first: whole arrays, (replicas, n)."""
    for _ in range(steps):
        r = np.roll(q, -1, axis=-1) - q
        f = r * (chi + r * (alpha + r * beta))
        p += DT * (f - np.roll(f, 1, axis=-1))
        q += DT * p


@numba.njit
def naive_verlet(q, p, steps, chi, alpha, beta):
    """What one writes second: loops, indices modulo n."""
    replicas, n = q.shape
    for _ in range(steps):
        for i in range(replicas):
            for j in range(n):
                r = q[i, (j + 1) % n] - q[i, j]
                left = q[i, j] - q[i, (j - 1) % n]
                force = r * (chi + r * (alpha + r * beta)) - left * (chi + left * (alpha + left * beta))
                p[i, j] += DT * force
            for j in range(n):
                q[i, j] += DT * p[i, j]


def state(replicas: int, n: int) -> State:
    """A start that stays in the well."""
    rng = np.random.default_rng(0)
    return State(np.zeros((replicas, n)), 0.1 * rng.standard_normal((replicas, n)))


def c_library(harmonic: bool) -> CDLL | None:
    """The C forms, for the harmonic or the FPUT law."""
    return compile_c(("#define HARMONIC\n" if harmonic else "") + C_SOURCE)


def c_ensemble(n: int, steps: int, harmonic: bool) -> Calls:
    """The C form of an ensemble of LANES, and the arrays it works on."""
    library = c_library(harmonic)
    if library is None:
        return {}, ()
    arrays = np.zeros((n + 1, LANES)), np.ascontiguousarray(state(LANES, n).p.T), np.zeros(LANES)
    numbers = (c_long(n), c_long(steps), *map(c_double, (DT, CHI, ALPHA, BETA)))
    return {"C, replicas inside": partial(library.ensemble, *map(pointer, arrays), *numbers)}, arrays


def c_ring(n: int, steps: int, harmonic: bool) -> Calls:
    """The C forms of one chain, and the arrays they work on."""
    library = c_library(harmonic)
    if library is None:
        return {}, ()
    q, p, w = (np.zeros(n + 2) for _ in range(3))
    p[1:-1] = state(1, n).p[0]
    numbers = (c_long(n), c_long(steps), *map(c_double, (DT, CHI, ALPHA, BETA)))
    return {
        f"C, {name.replace('_', ' ')}": partial(getattr(library, name), *map(pointer, (q, p, w)), *numbers)
        for name in ("out_of_place", "stored")
    }, (q, p, w)


def comparisons() -> Iterator[Comparison]:
    """Harmonic and FPUT rings, an ensemble, and stiffnesses that vary."""
    for law, coefficients in (("harmonic", (CHI, 0.0, 0.0)), ("fput", (CHI, ALPHA, BETA))):
        for replicas, n in ((1, 64), (1, 1024), (1, 65536), (64, 64), (64, 1024)):
            size = replicas * n
            steps = max(1000, WORK // size)
            start = state(replicas, n)
            chain = Chain(n, Bond(*coefficients))
            few, some = max(2, steps // 400), max(2, steps // 8)
            q, p = start.q.copy(), start.p.copy()
            a, b = start.q.copy(), start.p.copy()
            work: Work = {
                "ours": (partial(evolve, chain, start, [steps * DT], dt=DT), size * steps),
                "numpy": (partial(numpy_verlet, q, p, few, *coefficients), size * few),
                "naive numba": (partial(naive_verlet, a, b, some, *coefficients), size * some),
            }
            harmonic = law == "harmonic"
            calls, _alive = c_ring(n, steps, harmonic) if replicas == 1 else c_ensemble(n, steps, harmonic)
            work |= {name: (call, size * steps) for name, call in calls.items()}
            times = interleaved(work)
            label = f"{n}" if replicas == 1 else f"{replicas} x {n}"
            yield from judged(f"chain, {law}", label, times)
    yield from varied()


def judged(kernel: str, size: str, times: dict[str, float]) -> Iterator[Comparison]:
    """One row for each rival, the best C alone."""
    in_c = {name: ns for name, ns in times.items() if name.startswith("C,")}
    best = min(in_c, key=in_c.__getitem__, default=None)
    for name, ns in times.items():
        if name == "ours" or (name in in_c and name != best):
            continue
        target = {"naive numba": 9.0, "numpy": None}.get(name, 0.8)  # 0.8: at most 1.25 times C
        yield Comparison(kernel, size, name, times["ours"], ns, target)


def varied() -> Iterator[Comparison]:
    """A harmonic ring whose stiffness depends on the bond."""
    n = 1024
    steps = WORK // n
    chi = np.random.default_rng(1).uniform(0.5, 1.5, n)
    start = state(1, n)
    chain = Chain(n, Bond(chi))
    few = steps // 400
    work: Work = {
        "ours": (partial(evolve, chain, start, [steps * DT], dt=DT), n * steps),
        "numpy": (partial(numpy_verlet, start.q.copy(), start.p.copy(), few, chi, 0.0, 0.0), n * few),
    }
    if library := compile_c(C_SOURCE):
        arrays = [np.zeros(n + 2), np.zeros(n + 2), np.zeros(n + 2)]
        arrays[1][1:-1] = start.p[0]
        slots = np.concatenate([chi[-1:], chi])
        numbers = (c_long(n), c_long(steps), c_double(DT), pointer(slots))
        work["C, out of place"] = (partial(library.varied, *map(pointer, arrays), *numbers), n * steps)
    yield from judged("chain, varied chi", f"{n}", interleaved(work))
