"""Exact stationary moments against closed forms and a brute-force linear solve."""

import numpy as np
import pytest

from lattice.micro.moments import stationary
from lattice.model import Bond, Chain, Langevin, Pin


def wall_chain_current(n, chi, pin, friction, difference):
    """Rieder, Lebowitz and Lieb's solution, with a pin: fixed ends, equal frictions."""
    decay = np.arccosh(1 + pin / (2 * chi) + chi / (2 * friction**2))
    return difference * chi / (2 * friction) * np.sinh((n - 1) * decay) / np.sinh(n * decay)


@pytest.mark.parametrize("pin", [0.0, 0.6])
@pytest.mark.parametrize("friction", [0.4, 1.0, 2.5])
@pytest.mark.parametrize("n", [2, 3, 10])
def test_current_between_walls_is_the_closed_form(n, friction, pin):
    chain = Chain(n, Bond(chi=1.3), Pin(chi=pin), boundary="fixed")
    moments = stationary(chain, [Langevin(0, 2.0, friction), Langevin(-1, 0.5, friction)])
    exact = wall_chain_current(n, 1.3, pin, friction, 1.5)
    np.testing.assert_allclose(moments.energy_currents[1:-1], exact, rtol=1e-10)
    assert moments.energy_currents[[0, -1]].tolist() == [0.0, 0.0]
    np.testing.assert_allclose(moments.bath_powers, [exact, -exact], rtol=1e-10)


@pytest.mark.parametrize("n", [2, 7, 40])
def test_free_chain_carries_the_same_current_at_every_length(n):
    chi, friction = 1.3, 0.8
    chain = Chain(n, Bond(chi=chi), boundary="free")
    moments = stationary(chain, [Langevin(0, 2.0, friction), Langevin(n - 1, 0.5, friction)])
    exact = 1.5 * chi * friction / (2 * (chi + friction**2))
    np.testing.assert_allclose(moments.energy_currents, exact, rtol=1e-9)
    np.testing.assert_allclose(moments.temperatures[1:-1], 1.25, rtol=1e-9)


@pytest.mark.parametrize(("n", "chi", "pin", "friction"), [(64, 1e4, 0, 1), (8, 1e8, 0, 1), (64, 1, 1e4, 1)])
def test_stiff_chains_keep_their_digits(n, chi, pin, friction):
    chain = Chain(n, Bond(chi=chi), Pin(chi=pin), boundary="fixed")
    moments = stationary(chain, [Langevin(0, 2.0, friction), Langevin(-1, 0.5, friction)])
    np.testing.assert_allclose(
        moments.bath_powers[0], wall_chain_current(n, chi, pin, friction, 1.5), rtol=1e-7
    )


def test_the_unit_of_time_does_not_matter():
    def current(unit):
        chain = Chain(20, Bond(chi=1.3 * unit**2), Pin(chi=0.4 * unit**2), boundary="fixed")
        baths = [Langevin(0, 2.0, 0.7 * unit), Langevin(-1, 0.5, 0.7 * unit)]
        return stationary(chain, baths).bath_powers[0] / unit

    np.testing.assert_allclose([current(1e-6), current(1e6)], current(1.0), rtol=1e-9)


@pytest.mark.parametrize("boundary", ["fixed", "free", ("fixed", "free"), "periodic"])
def test_equal_baths_give_equilibrium(boundary):
    chain = Chain(5, Bond(chi=1.3), Pin(chi=0.2), boundary=boundary)
    moments = stationary(chain, [Langevin(0, 0.7, 1.0), Langevin(2, 0.7, 0.3)])
    np.testing.assert_allclose(moments.pp, 0.7 * np.eye(5), atol=1e-12)
    np.testing.assert_allclose(moments.qq, 0.7 * np.linalg.inv(chain.stiffness_matrix()), atol=1e-12)
    np.testing.assert_allclose(moments.qp, 0.0, atol=1e-12)


def test_moments_solve_the_kronecker_system():
    """A second route: the Lyapunov equation as one dense linear system of 64 unknowns."""
    chain = Chain(4, Bond(chi=[1.0, 2.0, 0.5]), Pin(chi=[0.1, 0.0, 0.3, 0.2]), boundary="free")
    baths = [Langevin(1, 2.0, 0.4), Langevin(3, 0.5, 1.5)]
    friction, diffusion = np.diag([0.0, 0.4, 0.0, 1.5]), np.diag([0.0, 1.6, 0.0, 1.5])
    zero, one = np.zeros((4, 4)), np.eye(4)
    drift = np.block([[zero, one], [-chain.stiffness_matrix(), -friction]])
    noise = np.block([[zero, zero], [zero, diffusion]])
    system = np.kron(drift, np.eye(8)) + np.kron(np.eye(8), drift)
    covariance = np.linalg.solve(system, -noise.ravel()).reshape(8, 8)
    moments = stationary(chain, baths)
    np.testing.assert_allclose(moments.qq, covariance[:4, :4], atol=1e-12)
    np.testing.assert_allclose(moments.qp, covariance[:4, 4:], atol=1e-12)
    np.testing.assert_allclose(moments.pp, covariance[4:, 4:], atol=1e-12)


def test_each_arm_of_a_ring_carries_one_current():
    # baths at sites 0 and 2 of 5: the arms have 2 and 3 bonds
    moments = stationary(Chain(5), [Langevin(0, 2.0), Langevin(2, 1.0)])
    short, long = moments.energy_currents[0], -moments.energy_currents[4]
    assert short > 0.05
    assert long > 0.05
    np.testing.assert_allclose(moments.energy_currents, [short, short, -long, -long, -long], rtol=1e-10)
    np.testing.assert_allclose(moments.bath_powers, [short + long, -short - long], rtol=1e-10)


def test_a_force_moves_the_mean_and_does_work():
    # a free chain dragged at its right end by f against frictions 1 and 2 drifts at f/3
    chain = Chain(5, boundary="free")
    moments = stationary(chain, [Langevin(0, 1.0, 1.0), Langevin(-1, 1.0, 2.0, force=0.6)])
    np.testing.assert_allclose(moments.mean_p, 0.2, rtol=1e-12)
    # every bond carries the drag of the left end, 0.2, as tension
    np.testing.assert_allclose(chain.stretches(moments.mean_q), 0.2, rtol=1e-10)
    # work goes in on the right and leaves as heat on both sides
    np.testing.assert_allclose(moments.bath_powers, [-0.04, 0.04], rtol=1e-9)
    np.testing.assert_allclose(moments.energy_currents, -0.04, rtol=1e-9)


@pytest.mark.parametrize(
    ("chain", "baths", "message"),
    [
        (Chain(4, Bond.fput(beta=1.0)), [Langevin(0, 1.0)], "chain is anharmonic"),
        (Chain(4), [], "leave a mode undamped"),
        (Chain(4), [Langevin(0, 1.0), Langevin(-4, 1.0)], "one bath a site"),
        (Chain(4), [Langevin(4, 1.0)], "site = 4 of a bath; allowed: -4 to 3"),
        (Chain(4), [Langevin(0, 1.0, 0.0)], "leave a mode undamped"),
        # the ring's odd waves have a node at the only bath
        (Chain(4), [Langevin(0, 1.0)], "leave a mode undamped"),
    ],
)
def test_rejections(chain, baths, message):
    with pytest.raises(ValueError, match=message):
        stationary(chain, baths)
