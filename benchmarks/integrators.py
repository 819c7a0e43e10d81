"""The fourth-order splitting against integrators one could install, at equal energy error.

Measured is the time for one site to move on by one unit of time.  The rivals run over a shorter
time than ours; DOP853, whose energy drifts, gains by that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from pyhamsys import Parameters, solve_ivp_symp
from scipy.integrate import solve_ivp

from lattice import Bond, Chain, State, energy
from lattice.micro.evolution import evolve

from .measure import Comparison, interleaved

N, BETA = 64, 0.5
CHAIN = Chain(N, Bond.fput(beta=BETA))
START = State(np.zeros(N), np.random.default_rng(0).standard_normal(N))
LONG, SHORT = 1000.0, 20.0
STEP, TOLERANCE = 0.05, 4e-10  # chosen so that the energy errors, which the table shows, are alike


def field(t: float, z: np.ndarray) -> np.ndarray:
    """Hamilton's equations."""
    r = np.roll(z[:N], -1) - z[:N]
    f = r * (1 + BETA * r * r)
    return np.concatenate([z[N:], f - np.roll(f, 1)])


def kick_drift(h: float, t: float, z: np.ndarray) -> np.ndarray:
    """First the momenta, then the displacements."""
    p = z[N:] + h * field(t, z)[N:]
    return np.concatenate([z[:N] + h * p, p])


def drift_kick(h: float, t: float, z: np.ndarray) -> np.ndarray:
    """First the displacements, then the momenta."""
    z = np.concatenate([z[:N] + h * z[N:], z[N:]])
    return np.concatenate([z[:N], z[N:] + h * field(t, z)[N:]])


def ours() -> tuple[np.ndarray, np.ndarray]:
    """Displacements and momenta at every unit of time."""
    run = evolve(CHAIN, START, np.arange(LONG + 1), dt=STEP, scheme="fourth-order")
    return run.q[:, 0], run.p[:, 0]


def dop853() -> tuple[np.ndarray, np.ndarray]:
    """Dormand and Prince, order 8."""
    z = np.concatenate([START.q[0], START.p[0]])
    times = np.arange(SHORT + 1)
    options = {"method": "DOP853", "rtol": TOLERANCE, "atol": TOLERANCE / 10, "t_eval": times}
    y = solve_ivp(field, (0, SHORT), z, **options).y.T
    return y[:, :N], y[:, N:]


def pyhamsys() -> tuple[np.ndarray, np.ndarray]:
    """The same splitting as ours, in numpy."""
    z = np.concatenate([START.q[0], START.p[0]])
    times = np.arange(SHORT + 1)
    options = Parameters(step=STEP, solver="RKN4b", display=False)
    y = solve_ivp_symp(kick_drift, drift_kick, (0, SHORT), z, t_eval=times, params=options).y.T
    return y[:, :N], y[:, N:]


def energy_error(run: Callable[[], tuple[np.ndarray, np.ndarray]]) -> float:
    """Largest relative deviation of the energy."""
    energies = energy(CHAIN, *run())
    return np.abs(energies / energies[0] - 1).max()


def comparisons() -> Iterator[Comparison]:
    """One ring of 64."""
    rivals = {
        f"{name}, error {energy_error(run):.0e}": (run, N * SHORT)
        for name, run in (("scipy DOP853", dop853), ("pyhamsys, same scheme", pyhamsys))
    }
    times = interleaved({"ours": (ours, N * LONG), **rivals})
    label = f"fourth order, error {energy_error(ours):.0e}"
    for name in rivals:
        yield Comparison(label, f"{N}", name, times["ours"], times[name], 100.0, "site and time")
