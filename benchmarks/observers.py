"""Runs that observe, beside runs that keep all states and look at them with numpy; rotors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from lattice import Bond, Chain, State
from lattice.micro import Profiles, Totals, energy_current, evolve, momentum_current

from .measure import Comparison, interleaved

N, REPLICAS = 256, 64
DT, SPACING, OUTPUTS = 0.05, 0.2, 100
CHAIN = Chain(N, Bond.rotor())
START = State(np.zeros((REPLICAS, N)), np.random.default_rng(0).standard_normal((REPLICAS, N)))


def totals_of_states() -> tuple[np.ndarray, ...]:
    """Total currents of energy and momentum."""
    run = evolve(CHAIN, START, SPACING * np.arange(OUTPUTS), dt=DT)
    return energy_current(CHAIN, run.q, run.p).sum(axis=-1), momentum_current(CHAIN, run.q).sum(axis=-1)


def profiles_of_states() -> tuple[np.ndarray, ...]:
    """Means of p, p², the stretch, the tension, the energies and the energy current."""
    run = evolve(CHAIN, START, SPACING * np.arange(OUTPUTS), dt=DT)
    r = CHAIN.stretches(run.q)
    rows = (run.p, run.p**2, r, CHAIN.bond.slope(r), CHAIN.bond.potential(r))
    return *(row.mean(axis=(0, 1)) for row in rows), energy_current(CHAIN, run.q, run.p).mean(axis=(0, 1))


def comparisons() -> Iterator[Comparison]:
    """Outputs every four steps; the whole run is timed."""
    work = REPLICAS * N * (OUTPUTS - 1) * round(SPACING / DT)
    ours = partial(evolve, CHAIN, START, SPACING * np.arange(OUTPUTS), dt=DT)
    for name, observe, rival in (
        ("totals", Totals(), totals_of_states),
        ("profiles", Profiles(10), profiles_of_states),
    ):
        calls: dict[str, tuple[Callable[[], object], float]] = {
            "ours": (partial(ours, observe=observe), work),
            "states and numpy": (rival, work),
        }
        times = interleaved(calls)
        target = 5.0 if name == "totals" else 4.0
        yield Comparison(f"observed, {name}", f"{REPLICAS} x {N}", "states and numpy", times["ours"],
                         times["states and numpy"], target)  # fmt: skip
