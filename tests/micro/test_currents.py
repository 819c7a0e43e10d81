"""Energy currents and the power of baths."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lattice import Bond, Chain, Langevin, Pin, State, energy, site_energy
from lattice.micro.currents import bath_power, energy_current
from lattice.micro.evolution import evolve
from tests import naive

BOUNDARIES = ["periodic", "fixed", "free", ("fixed", "free"), ("free", "fixed")]
N = 6


def example(boundary):
    """A chain with all kinds of force, different on every bond, and three random states."""
    rng = np.random.default_rng(8)
    bonds = Chain(N, boundary=boundary).n_bonds
    bond = Bond(*rng.uniform(0.5, 1.5, (4, bonds)), m=1.5)
    chain = Chain(N, bond, Pin(chi=1.0, beta=0.3, J=0.2), boundary)
    return chain, rng.standard_normal((3, N)), rng.standard_normal((3, N))


def balance(chain, current):
    """What comes in from the left less what goes out to the right, at each site."""
    slots = chain.slots(current)
    return slots[..., :-1] - slots[..., 1:]


@pytest.mark.parametrize("boundary", BOUNDARIES, ids=str)
def test_twin(boundary):
    chain, q, p = example(boundary)
    expected = [naive.energy_current(chain, *state) for state in zip(q, p, strict=True)]
    assert_allclose(energy_current(chain, q, p), expected, rtol=1e-13, atol=1e-14)
    assert energy_current(chain, q[0], p[0]).shape == (chain.n_bonds,)


@pytest.mark.parametrize("boundary", BOUNDARIES, ids=str)
def test_site_energies_change_by_what_flows(boundary):
    """Along Hamilton's equations, by a fourth-order central difference."""
    chain, q, p = example(boundary)
    force = chain.force(q)

    def along(h):
        return site_energy(chain, q + h * p, p + h * force)

    h = 4e-4
    rate = (8 * (along(h) - along(-h)) - along(2 * h) + along(-2 * h)) / (12 * h)
    expected = balance(chain, energy_current(chain, q, p))
    assert_allclose(rate, expected, atol=1e-9)
    assert np.abs(balance(chain, -energy_current(chain, q, p)) - rate).max() > 0.1


@pytest.mark.parametrize("boundary", BOUNDARIES, ids=str)
def test_energy_that_has_flowed_is_the_energy_that_arrived(boundary):
    """Simpson's rule over a trajectory, closing at its order 4 to round-off of the scheme."""
    chain, _, _ = example(boundary)
    q, p = np.sin(np.arange(1, 6 * N + 1) ** 2).reshape(2, 3, N)  # fixed: a large momentum needs a small step
    times = np.linspace(0, 1, 401)
    run = evolve(chain, State(q, p), times, scheme="fourth-order", dt=0.0025)
    current = energy_current(chain, run.q, run.p)
    weights = np.full(times.size, 2.0)
    weights[1::2] = 4.0
    weights[[0, -1]] = 1.0
    flowed = np.tensordot(weights, current, axes=1) * (times[1] - times[0]) / 3
    gained = site_energy(chain, run.q[-1], run.p[-1]) - site_energy(chain, run.q[0], run.p[0])
    assert_allclose(balance(chain, flowed), gained, atol=1e-7)
    assert np.abs(gained).max() > 0.1


def test_nothing_flows_into_a_wall():
    chain, q, p = example("fixed")
    current = energy_current(chain, q, p)
    assert_array_equal(current[:, [0, -1]], 0.0)
    assert np.all(current[:, 1:-1] != 0)


def test_a_wave_to_the_right_carries_energy_to_the_right():
    n, k = 16, 2 * np.pi / 16
    chain = Chain(n)
    j, omega = np.arange(n), 2 * np.sin(k / 2)
    q, p = np.cos(k * j), omega * np.sin(k * j)  # cos(kj - ωt)
    mean = energy_current(chain, q, p).mean()
    # energy per site times the group velocity
    assert mean == pytest.approx(energy(chain, q, p) / n * np.cos(k / 2), rel=1e-12)


def test_wrong_shapes():
    chain, q, p = example("periodic")
    with pytest.raises(ValueError, match=r"q has shape \(3, 5\)"):
        energy_current(chain, q[:, :5], p[:, :5])
    with pytest.raises(ValueError, match=r"p has shape \(6,\)"):
        energy_current(chain, q, p[0])


def test_bath_power_is_the_drift_of_the_kinetic_energy():
    """Friction, force and noise one by one, and the exact second moments of a step."""
    p = np.array([[0.5, -2.0, 3.0], [1.0, 0.0, -1.0]])
    baths = [Langevin(0, 2.0, friction=0.5), Langevin(-1, 0.0, friction=0.0, force=1.5)]
    expected = np.stack([0.5 * (2.0 - p[:, 0] ** 2), 1.5 * p[:, 2]], axis=-1)
    assert_allclose(bath_power(baths, p), expected, rtol=1e-15)

    bath, h = Langevin(1, 1.3, friction=0.7, force=0.4), 1e-6
    c = np.exp(-bath.friction * h)
    mean = c * p[:, 1] + bath.force * (1 - c) / bath.friction
    second = mean**2 + bath.temperature * (1 - c * c)
    assert_allclose(bath_power([bath], p)[:, 0], (second - p[:, 1] ** 2) / (2 * h), rtol=1e-4, atol=1e-5)


def test_no_bath_no_power():
    assert bath_power([], np.ones((2, 3))).shape == (2, 0)
