"""All that particles know of a noise stands in one place."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from lattice import Chain, Langevin, State, VelocityExchange
from lattice.micro import _noises, evolve, exact_kappa, moments


@dataclass(frozen=True)
class Swap:
    """A noise that only its entry there knows."""

    rate: float


def test_a_noise_is_known_by_its_entry_alone(monkeypatch):
    """One that does what exchanges do moves, and has moments and a conductivity, as they have."""
    with pytest.raises(ValueError, match=r"noise = Swap\(rate=0.3\); allowed: None or one of"):
        evolve(Chain(6), State(np.zeros(6), np.ones(6)), [1.0], noise=Swap(0.3), rng=1)
    monkeypatch.setitem(_noises._ACTIONS, Swap, _noises._ACTIONS[VelocityExchange])
    ring, line = Chain(6), Chain(6, boundary="fixed")
    start = State(*np.random.default_rng(0).standard_normal((2, 3, 6)))
    found = []
    for noise in (VelocityExchange(0.3), Swap(0.3)):
        run = evolve(ring, start, [1.0, 2.0], noise=noise, rng=1)
        still = moments.stationary(line, [Langevin(0, 1.0), Langevin(-1, 2.0)], noise)
        found.append((run.q, run.p, still.pp, still.energy_currents, exact_kappa(ring, noise).ring))
    for one, other in zip(*found, strict=True):
        assert_array_equal(one, other)
