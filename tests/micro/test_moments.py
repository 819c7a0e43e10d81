"""Exact second moments against closed forms and brute-force dense systems."""

import math
import re

import numpy as np
import pytest
import scipy.linalg

from lattice import (
    Bond,
    Chain,
    Langevin,
    Pin,
    StretchFlip,
    ThreeSiteRotation,
    VelocityExchange,
    VelocityFlip,
)
from lattice.micro import exact_kappa
from lattice.micro.moments import Moments, evolve, stationary


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


# --- with noise -------------------------------------------------------------------------------

NOISES = [VelocityFlip(0.7), StretchFlip(0.7), VelocityExchange(0.7), ThreeSiteRotation(0.7)]


def noise_maps(chain, noise):
    """(rate, matrix) of every jump x -> Ux and every generator x -> Yx of a rotation, on x = (q, p)."""
    n = chain.n
    jumps, turns = [], []
    last = n if chain.periodic else n - 1
    if isinstance(noise, VelocityFlip):
        for j in range(n):
            u = np.eye(2 * n)
            u[n + j, n + j] = -1
            jumps.append(u)
    if isinstance(noise, VelocityExchange):
        for j in range(last):
            u = np.eye(2 * n)
            u[[n + j, n + (j + 1) % n]] = u[[n + (j + 1) % n, n + j]]
            jumps.append(u)
    if isinstance(noise, StretchFlip):
        first = int(chain.ends[0] == "fixed")
        for j in range(last):
            r = chain.stretches(np.eye(n)).T
            flipped = r.copy()
            flipped[first + j] *= -1
            if chain.n_bonds < n:  # the first site stays
                r, flipped = np.vstack([r, np.eye(n)[0]]), np.vstack([flipped, np.eye(n)[0]])
            jumps.append(scipy.linalg.block_diag(np.linalg.solve(r, flipped), np.eye(n)))
    if isinstance(noise, ThreeSiteRotation):
        for z in range(n) if chain.periodic else range(1, n - 1):
            a, b, c = n + (z - 1) % n, n + z, n + (z + 1) % n
            y = np.zeros((2 * n, 2 * n))
            y[a, b], y[a, c] = 1, -1  # Y p_{z-1} = p_z - p_{z+1}
            y[b, c], y[b, a] = 1, -1
            y[c, a], y[c, b] = 1, -1
            turns.append(y)
    return jumps, turns


def dense_generator(chain, baths, noise):
    """The whole linear action on means (2n) and on second moments (4n², row-major), and the sources."""
    n = chain.n
    one, zero = np.eye(2 * n), np.zeros((n, n))
    friction, force, diffusion = np.zeros(n), np.zeros(2 * n), np.zeros((2 * n, 2 * n))
    for bath in baths:
        site = bath.site % n
        friction[site], force[n + site] = bath.friction, bath.force
        diffusion[n + site, n + site] = 2 * bath.friction * bath.temperature
    drift = np.block([[zero, np.eye(n)], [-chain.stiffness_matrix(), -np.diag(friction)]])
    first = drift.copy()
    second = np.kron(drift, one) + np.kron(one, drift)
    jumps, turns = noise_maps(chain, noise)
    for u in jumps:
        first += noise.rate * (u - one)
        second += noise.rate * (np.kron(u, u) - np.kron(one, one))
    for y in turns:
        first += noise.rate / 6 * y @ y
        both = np.kron(y, one) + np.kron(one, y)  # Leibniz: Y(x xᵀ) = (Yx) xᵀ + x (Yx)ᵀ
        second += noise.rate / 6 * both @ both
    return first, second, force, diffusion


def dense_stationary(chain, baths, noise):
    """Mean and centred covariance of (q, p) from one dense linear solve, all 4n² unknowns."""
    first, second, force, diffusion = dense_generator(chain, baths, noise)
    mean = np.linalg.solve(first, -force)
    source = diffusion + np.outer(force, mean) + np.outer(mean, force)
    moments = np.linalg.solve(second, -source.ravel()).reshape(diffusion.shape)
    return mean, moments - np.outer(mean, mean)


def boundary_for(noise):
    return ("fixed", "free") if isinstance(noise, StretchFlip) else "fixed"


@pytest.mark.parametrize(
    ("n", "noise"), [(n, noise) for n in (2, 3, 4) for noise in NOISES[: 3 if n == 2 else 4]]
)
def test_noisy_moments_solve_the_dense_system(n, noise):
    pin = 0.0 if isinstance(noise, StretchFlip) else np.linspace(0.1, 0.9, n)
    boundary = boundary_for(noise)
    bonds = Chain(n, boundary=boundary).n_bonds
    chain = Chain(n, Bond(chi=np.linspace(0.5, 1.5, bonds)), Pin(chi=pin), boundary=boundary)
    baths = [Langevin(0, 2.0, 0.4, force=-0.3), Langevin(-1, 0.5, 1.5, force=0.8)]
    mean, covariance = dense_stationary(chain, baths, noise)
    moments = stationary(chain, baths, noise)
    np.testing.assert_allclose(np.concatenate([moments.mean_q, moments.mean_p]), mean, atol=1e-11)
    np.testing.assert_allclose(moments.qq, covariance[:n, :n], atol=1e-10)
    np.testing.assert_allclose(moments.qp, covariance[:n, n:], atol=1e-10)
    np.testing.assert_allclose(moments.pp, covariance[n:, n:], atol=1e-10)
    assert moments.residual < 1e-12


@pytest.mark.parametrize("noise", NOISES)
def test_a_noise_of_another_rate_is_told_apart(noise):
    chain = Chain(4, Bond(chi=1.3), boundary=boundary_for(noise))
    baths = [Langevin(0, 2.0), Langevin(-1, 1.0)]
    twice = type(noise)(2 * noise.rate)
    difference = stationary(chain, baths, twice).pp - dense_stationary(chain, baths, noise)[1][4:, 4:]
    assert np.abs(difference).max() > 1e-3


@pytest.mark.parametrize("noise", [VelocityFlip(0.7), VelocityExchange(0.7), ThreeSiteRotation(0.7)])
def test_noisy_ring_solves_the_dense_system(noise):
    chain = Chain(5, Bond(chi=1.3), Pin(chi=0.4))
    baths = [Langevin(0, 2.0), Langevin(2, 1.0, 0.5, force=0.3)]
    _, covariance = dense_stationary(chain, baths, noise)
    moments = stationary(chain, baths, noise)
    np.testing.assert_allclose(moments.pp, covariance[5:, 5:], atol=1e-10)
    np.testing.assert_allclose(moments.qq, covariance[:5, :5], atol=1e-10)


@pytest.mark.parametrize("noise", NOISES)
def test_equal_baths_give_equilibrium_with_noise(noise):
    chain = Chain(9, Bond(chi=1.3), boundary=boundary_for(noise))
    moments = stationary(chain, [Langevin(0, 0.7, 1.0), Langevin(4, 0.7, 0.3)], noise)
    np.testing.assert_allclose(moments.pp, 0.7 * np.eye(9), atol=1e-11)
    np.testing.assert_allclose(moments.qq, 0.7 * np.linalg.inv(chain.stiffness_matrix()), atol=1e-10)
    np.testing.assert_allclose(moments.qp, 0.0, atol=1e-11)


@pytest.mark.parametrize("noise", NOISES)
def test_the_same_heat_crosses_every_bond(noise):
    chain = Chain(24, Bond(chi=1.3), boundary=boundary_for(noise))
    moments = stationary(chain, [Langevin(0, 2.0, 0.8), Langevin(-1, 1.0, 1.2)], noise)
    power = moments.bath_powers
    assert power[0] > 0.01
    np.testing.assert_allclose(power.sum(), 0.0, atol=1e-11)
    heat = moments.energy_currents + moments.noise_currents
    first = int(chain.ends[0] == "fixed")
    np.testing.assert_allclose(heat[first : first + 23], power[0], rtol=1e-9)
    carries = isinstance(noise, (VelocityExchange, ThreeSiteRotation))
    # without the noise's own share the balance fails by far
    assert (np.abs(moments.noise_currents).max() > 0.1 * power[0]) == carries


@pytest.mark.parametrize("n", [2, 3, 17])
def test_stretch_flips_between_unit_baths_are_the_closed_form(n):
    # n = 2 by hand: <r p_0> = -<r p_1> = c and 2(2γ + 1) c = T_0 - T_1 - 2c; then the same law for each bond
    flip = 0.6
    moments = stationary(Chain(n, boundary="free"), [Langevin(0, 2.0), Langevin(-1, 1.0)], StretchFlip(flip))
    np.testing.assert_allclose(moments.bath_powers[0], 1 / (4 + 4 * flip * (n - 1)), rtol=1e-10)


def flip_chain_power(n, chi, flip, friction, difference, force):
    """Heat to the right in a free chain, all velocities flipping, the force at its right end.

    The mean velocity u is the same everywhere, force = (2·friction + 2·flip·n) u, and the work of
    friction and flips is shared between the two halves: u·force/2 flows to the left.
    """
    resistance = 4 * flip * (n - 1) / chi + 2 * friction / chi + 2 / friction
    return difference / resistance - force**2 / (4 * (friction + flip * n))


@pytest.mark.parametrize(("chi", "flip", "friction"), [(1.0, 1.0, 1.0), (2.0, 0.3, 0.7)])
@pytest.mark.parametrize("n", [3, 17, 65])
def test_flip_chain_between_baths_is_the_closed_form(n, chi, flip, friction):
    baths = [Langevin(0, 2.0, friction), Langevin(-1, 1.0, friction, force=1.5)]
    moments = stationary(Chain(n, Bond(chi=chi), boundary="free"), baths, VelocityFlip(flip))
    exact = flip_chain_power(n, chi, flip, friction, 1.0, 1.5)
    np.testing.assert_allclose(moments.bath_powers, [exact, -exact], rtol=1e-9)
    np.testing.assert_allclose(moments.energy_currents, exact, rtol=1e-9)


def start_moments(chain, rng):
    """Moments of no symmetry at all."""
    n = chain.n
    root = rng.normal(size=(2 * n, 2 * n))
    covariance = root @ root.T / n
    mean_q, mean_p = rng.normal(size=(2, n))
    return Moments(chain, mean_q, mean_p, covariance[:n, :n], covariance[:n, n:], covariance[n:, n:])


def thermal_moments(chain, temperature):
    n = chain.n
    inverse = np.linalg.inv(chain.stiffness_matrix())
    return Moments(
        chain, np.zeros(n), np.zeros(n), temperature * inverse, np.zeros((n, n)), temperature * np.eye(n)
    )


def stacked(moments):
    mean = np.concatenate([moments.mean_q, moments.mean_p])
    return mean, np.block([[moments.qq, moments.qp], [moments.qp.T, moments.pp]])


@pytest.mark.parametrize("driven", [False, True])
@pytest.mark.parametrize("noise", [None, *NOISES])
@pytest.mark.parametrize("boundary", ["periodic", "free", ("free", "fixed")])
def test_evolution_is_the_dense_exponential(boundary, noise, driven):
    if boundary == "periodic" and isinstance(noise, StretchFlip):
        boundary = ("fixed", "free")
    n = 3
    bonds = Chain(n, boundary=boundary).n_bonds
    pin = 0.0 if isinstance(noise, StretchFlip) or boundary == "free" else np.array([0.3, 0.0, 0.5])
    chain = Chain(n, Bond(chi=np.linspace(0.8, 1.7, bonds)), Pin(chi=pin), boundary=boundary)
    baths = [Langevin(0, 2.0, 0.4, force=0.3), Langevin(1, 0.5, 1.5)] if driven else []
    start = start_moments(chain, np.random.default_rng(5))
    first, second, force, diffusion = dense_generator(chain, baths, noise)
    # one linear system for (second moments, means, 1)
    one = np.eye(2 * n)
    lift = np.kron(force[:, None], one) + np.kron(one, force[:, None])
    whole = np.block(
        [
            [second, lift, diffusion.reshape(-1, 1)],
            [np.zeros((2 * n, 4 * n * n)), first, force[:, None]],
            [np.zeros((1, 4 * n * n + 2 * n + 1))],
        ]
    )
    mean, covariance = stacked(start)
    vector = np.concatenate([(covariance + np.outer(mean, mean)).ravel(), mean, [1.0]])
    times = [0.0, 0.4, 7.0]
    for time, found in zip(times, evolve(chain, start, times, baths, noise), strict=True):
        exact = scipy.linalg.expm(whole * time) @ vector
        mean, covariance = stacked(found)
        exact_mean = exact[-2 * n - 1 : -1]
        np.testing.assert_allclose(mean, exact_mean, atol=1e-11)
        second_moments = exact[: 4 * n * n].reshape(2 * n, 2 * n)
        scale = np.abs(second_moments).max()
        np.testing.assert_allclose(
            covariance, second_moments - np.outer(exact_mean, exact_mean), atol=1e-11 * scale
        )


@pytest.mark.parametrize("noise", [VelocityFlip(0.7), VelocityExchange(0.7), ThreeSiteRotation(0.7)])
def test_noise_keeps_what_it_should(noise):
    chain = Chain(12, Bond(chi=1.3))
    start = start_moments(chain, np.random.default_rng(6))
    (end,) = evolve(chain, start, [5.0], noise=noise)

    def energy(moments):
        mean, covariance = stacked(moments)
        stiffness = scipy.linalg.block_diag(chain.stiffness_matrix(), np.eye(12))
        return 0.5 * np.sum(stiffness * (covariance + np.outer(mean, mean)))

    def momentum(moments):
        return moments.mean_p.sum(), moments.pp.sum()

    np.testing.assert_allclose(energy(end), energy(start), rtol=1e-12)
    if isinstance(noise, VelocityFlip):
        np.testing.assert_allclose(momentum(end)[0], np.exp(-7.0) * momentum(start)[0], rtol=1e-9)
    else:
        np.testing.assert_allclose(momentum(end), momentum(start), rtol=1e-11)
    # it has not stood still: some site has changed by as much
    assert np.abs(end.temperatures - start.temperatures).max() > 0.5


@pytest.mark.parametrize("noise", NOISES)
def test_equilibrium_does_not_move(noise):
    chain = Chain(10, Bond(chi=1.3), boundary=boundary_for(noise))
    start = thermal_moments(chain, 0.7)
    (end,) = evolve(chain, start, [9.0], [Langevin(0, 0.7)], noise)
    np.testing.assert_allclose(stacked(end)[1], stacked(start)[1], atol=1e-12)


def test_a_quenched_chain_ends_stationary():
    chain, noise = Chain(5, Bond(chi=1.3), Pin(chi=0.4)), ThreeSiteRotation(0.7)
    cold = stationary(chain, [Langevin(0, 0.5), Langevin(2, 0.5)], noise)
    baths = [Langevin(0, 2.0), Langevin(2, 1.0)]
    (end,) = evolve(chain, cold, [150.0], baths, noise)
    np.testing.assert_allclose(stacked(end)[1], stacked(stationary(chain, baths, noise))[1], atol=1e-10)


def test_flips_alone_damp_two_momenta_at_four_times_their_rate():
    chain = Chain(3, Bond(chi=0.0))
    zero = np.zeros((3, 3))
    start = Moments(
        chain, np.zeros(3), [1.0, 0.0, 0.0], np.eye(3), zero, [[2.0, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]
    )
    (end,) = evolve(chain, start, [0.3], noise=VelocityFlip(0.7))
    np.testing.assert_allclose(end.mean_p, [np.exp(-0.42), 0, 0], rtol=1e-13)
    np.testing.assert_allclose(end.pp[0, 1], 0.5 * np.exp(-0.84), rtol=1e-13)
    np.testing.assert_allclose(end.temperatures, [3 - np.exp(-0.84), 1, 1], rtol=1e-13)


@pytest.mark.parametrize("time", [0.0, 0.02, 0.06, 0.3, 2.0])
def test_damped_momenta_are_the_closed_form_to_round_off(time):
    """Two sites on their own: frictions 50 and 7, and the force of one bath."""
    chain, friction, bath = (
        Chain(2, Bond(chi=0.0), boundary="free"),
        np.array([50.0, 7.0]),
        np.array([2.0, 0.5]),
    )
    force, zero, begin = np.array([0.0, 4.0]), np.zeros((2, 2)), np.array([1.0, -3.0])
    start = Moments(chain, [0, 0], begin, zero, zero, np.diag([5.0, 2.0]))
    baths = Langevin(0, 2.0, 50.0), Langevin(1, 0.5, 7.0, force=4.0)
    (end,) = evolve(chain, start, [time], baths)
    left = np.exp(-friction * time)
    limit = force / friction
    np.testing.assert_allclose(end.mean_p, limit + (begin - limit) * left, rtol=0, atol=2e-14)
    moved = limit * time + (begin - limit) * (1 - left) / friction
    np.testing.assert_allclose(end.mean_q, moved, rtol=0, atol=2e-14)
    kept = bath + (np.array([5.0, 2.0]) - bath) * left**2
    np.testing.assert_allclose(end.temperatures, kept, rtol=0, atol=5e-14)
    np.testing.assert_allclose(end.pp[0, 1], 0.0, atol=1e-300)


@pytest.mark.parametrize(
    ("square", "time", "steps"),
    [(1.0, 0.5, 1), (1.0, 2.9, 1), (1.0, 11.0, 4), (1.0, 300.0, 100), (1e4, 30.0, 1000)],
)
def test_oscillators_are_the_closed_form_to_round_off(square, time, steps):
    """A cosine and a sine, each of a step's length, and after many."""
    frequency, zero = math.sqrt(square), np.zeros((2, 2))
    chain = Chain(2, Bond(chi=0.0), Pin(chi=square), boundary="free")
    start = Moments(chain, [1.0, 0.0], [0.0, frequency], np.diag([1.0, 0.0]), zero, np.diag([0.0, square]))
    (end,) = evolve(chain, start, [time])
    cosine, sine = math.cos(frequency * time), math.sin(frequency * time)
    error = 2e-14 * steps
    np.testing.assert_allclose(end.mean_q, [cosine, sine], rtol=0, atol=error)
    np.testing.assert_allclose(end.mean_p / frequency, [-sine, cosine], rtol=0, atol=error)
    np.testing.assert_allclose(np.diag(end.qq), [cosine**2, sine**2], rtol=0, atol=error)
    np.testing.assert_allclose(np.diag(end.pp) / square, [sine**2, cosine**2], rtol=0, atol=error)
    np.testing.assert_allclose(
        np.diag(end.qp) / frequency, [-cosine * sine, cosine * sine], rtol=0, atol=error
    )


@pytest.mark.parametrize("time", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("noise", [VelocityFlip(0.7), VelocityExchange(0.7)])
def test_a_mean_that_noise_wears_off_becomes_heat_to_round_off(noise, time):
    """Both wear off opposite momenta at 1.4; all that the covariance gains comes from the mean."""
    chain, zero = Chain(2, Bond(chi=0.0), boundary="free"), np.zeros((2, 2))
    start = Moments(chain, [0, 0], [1.0, -1.0], zero, zero, zero)
    (end,) = evolve(chain, start, [time], noise=noise)
    np.testing.assert_allclose(end.mean_p, np.array([1, -1]) * math.exp(-1.4 * time), rtol=0, atol=2e-14)
    np.testing.assert_allclose(end.temperatures, 1 - math.exp(-2.8 * time), rtol=0, atol=2e-14)


@pytest.mark.parametrize(
    ("chain", "times", "noise", "baths"),
    [
        (Chain(4, pin=Pin(chi=1.0)), [1e9], None, ()),
        (Chain(4, pin=Pin(chi=1.0)), [1.0], VelocityFlip(1e300), ()),
        (Chain(4, pin=Pin(chi=1.0)), [1.0], ThreeSiteRotation(1.7e308), ()),
        (Chain(4, pin=Pin(chi=1.0)), [1.0], None, [Langevin(0, 1.0, 1e9)]),
        (Chain(4, pin=Pin(chi=1e30)), [1.0], None, ()),
        (Chain(4, pin=Pin(chi=1.0)), np.zeros(200_000), None, ()),
    ],
)
def test_evolutions_that_would_run_for_ever_are_refused(chain, times, noise, baths):
    with pytest.raises(ValueError, match=r"times = .* needs .* steps; allowed: at most 1e\+05"):
        evolve(chain, thermal_moments(chain, 1.0), times, baths, noise)


def test_the_number_of_steps_counts():
    """Just below the limit is allowed, and long chains have less."""
    chain = Chain(2, Bond(chi=0.0), boundary="free")
    zero, one = np.zeros((2, 2)), np.eye(2)
    start, bath = Moments(chain, [0, 0], [0, 0], one, zero, one), [Langevin(0, 1.0, 1.0)]
    _, limit = 0, 3e5  # 2 × friction / 6 steps a unit of time, and one for each output
    with pytest.raises(ValueError, match="steps"):
        evolve(chain, start, [1.01 * limit], bath)
    assert evolve(chain, start, [1e3], bath)[0].temperatures[0] == 1.0
    long = Chain(1000, pin=Pin(chi=1.0))
    with pytest.raises(ValueError, match=r"allowed: at most 1e\+03"):
        evolve(long, thermal_moments(long, 1.0), [2000.0])


BAD = [1, "x", True, 1j, math.nan, [1], np.array(5), object()]


@pytest.mark.parametrize("bad", [None, *BAD], ids=lambda bad: type(bad).__name__)
def test_arguments_of_another_type_are_named(bad):
    chain, zero, one, rest = Chain(3, pin=Pin(chi=1.0)), np.zeros((3, 3)), np.eye(3), np.zeros(3)
    baths, start = [Langevin(0, 1.0), Langevin(1, 1.0)], thermal_moments(chain, 1.0)
    calls = {
        "chain": [
            lambda: stationary(bad, baths),
            lambda: evolve(bad, start, [1.0]),
            lambda: exact_kappa(bad, VelocityFlip(1.0)),
            lambda: Moments(bad, rest, rest, one, zero, one),
        ],
        "baths": [
            lambda: stationary(chain, bad),
            lambda: evolve(chain, start, [1.0], bad),
            lambda: Moments(chain, rest, rest, one, zero, one, bad),
        ],
        "noise": [lambda: exact_kappa(Chain(3), bad)],
        "start": [lambda: evolve(chain, bad, [1.0])],
        "mean_q": [lambda: Moments(chain, bad, rest, one, zero, one)],
        "mean_p": [lambda: Moments(chain, rest, bad, one, zero, one)],
        "qq": [lambda: Moments(chain, rest, rest, bad, zero, one)],
        "qp": [lambda: Moments(chain, rest, rest, one, bad, one)],
        "pp": [lambda: Moments(chain, rest, rest, one, zero, bad)],
    }
    if bad is not None:
        calls["noise"] += [
            lambda: stationary(chain, baths, bad),
            lambda: evolve(chain, start, [1.0], (), bad),
            lambda: Moments(chain, rest, rest, one, zero, one, (), bad),
        ]
    if not isinstance(bad, list):
        calls["times"] = [lambda: evolve(chain, start, bad)]
    for name, some in calls.items():
        for call in some:
            with pytest.raises(ValueError, match=f"^{name} "):
                call()


def test_moments_are_copies_that_nobody_changes():
    parts = [np.zeros(3), np.zeros(3), np.eye(3), np.zeros((3, 3)), np.eye(3)]
    moments = Moments(Chain(3), *parts)
    for name, part in zip(("mean_q", "mean_p", "qq", "qp", "pp"), parts, strict=True):
        part += 1.0
        with pytest.raises(ValueError, match="read-only"):
            getattr(moments, name)[...] = 0.0
        np.testing.assert_array_equal(getattr(moments, name), part - 1.0)


def test_moments_refuse_what_they_cannot_describe():
    zero, one, rest = np.zeros((3, 3)), np.eye(3), np.zeros(3)
    with pytest.raises(ValueError, match=r"mean_p = .* real numbers"):
        Moments(Chain(3), rest, rest + 0j, one, zero, one)
    with pytest.raises(ValueError, match="chain is anharmonic"):
        Moments(Chain(3, Bond.fput(beta=1.0)), rest, rest, one, zero, one)
    with pytest.raises(ValueError, match="site = 7"):
        Moments(Chain(3), rest, rest, one, zero, one, [Langevin(7, 1.0)])
    lopsided = np.array([[1.0, 1e308, 0], [-1e308, 1, 0], [0, 0, 1]])
    with pytest.raises(ValueError, match="qq is not symmetric"):
        Moments(Chain(3), rest, rest, lopsided, zero, one)
    lopsided = np.array([[1.0, 2e-8, 0], [0, 1, 0], [0, 0, 1]])
    with pytest.raises(ValueError, match="pp is not symmetric"):
        Moments(Chain(3), rest, rest, one, zero, lopsided)
    baths, hot = [Langevin(0, 1.0, 1e10)], 1e300 * np.diag([1.0, 2.0, 3.0])
    huge = Moments(Chain(3), rest, rest, one, hot, hot, baths, VelocityExchange(1e10))
    for name in ("noise_currents", "bath_powers"):
        with pytest.raises(
            ValueError, match=rf"moments = Moments\(chain=Chain\(n=3\), .*{name} is beyond the floats"
        ):
            getattr(huge, name)
    assert np.isfinite(huge.energy_currents).all()
    with pytest.raises(ValueError, match=r"noise = ThreeSiteRotation\(rate=5e-324\)"):
        exact_kappa(Chain(4, boundary="periodic"), ThreeSiteRotation(5e-324))


@pytest.mark.parametrize("huge", [1e-320, 1e-300, 1e300, 1.7e308])
def test_extreme_numbers_are_refused_or_give_finite_results(huge):
    chain = Chain(3, pin=Pin(chi=1.0), boundary="fixed")
    baths, start = [Langevin(0, 2.0), Langevin(-1, 1.0)], thermal_moments(chain, 1.0)
    hot, stiff, pushed = Langevin(0, huge), Langevin(0, 1.0, huge), Langevin(0, 1.0, force=huge)
    loose = Chain(3, boundary="free")
    calls = [
        lambda b=b, c=c, k=k: stationary(c, [b, baths[1]], k)
        for b in (hot, stiff, pushed)
        for c in (chain, loose)
        for k in (None, VelocityFlip(1.0))
    ]
    calls += [lambda b=b: evolve(chain, start, [1.0], [b]) for b in (hot, stiff, pushed)]
    for kind in (VelocityFlip, VelocityExchange, ThreeSiteRotation):
        calls.append(lambda kind=kind: stationary(chain, baths, kind(huge)))
        calls.append(lambda kind=kind: evolve(chain, start, [1.0], baths, kind(huge)))
        calls.append(lambda kind=kind: exact_kappa(Chain(4, pin=Pin(chi=1.0)), kind(huge)))
    for bond, pin in ((huge, 1.0), (1.0, huge)):
        other = Chain(3, Bond(chi=bond), Pin(chi=pin), "fixed")
        calls.append(lambda other=other: stationary(other, baths, VelocityFlip(1.0)))
        calls.append(lambda other=other: evolve(other, start, [1.0], baths))
        ring = Chain(4, Bond(chi=bond), Pin(chi=pin))
        calls.append(lambda ring=ring: exact_kappa(ring, VelocityExchange(1.0)))
    calls.append(lambda: evolve(chain, start, [huge]))
    named, results = re.compile("chain|baths|noise|times|start|pin|rate"), []
    for call in calls:
        try:
            found = call()
        except ValueError as error:
            results.append(bool(named.search(str(error))))
        else:
            parts = [
                part
                for state in np.atleast_1d(np.array(found, dtype=object))
                for part in vars(state).values()
            ]
            results.append(all(np.isfinite(p).all() for p in parts if isinstance(p, (float, np.ndarray))))
    assert all(results)


# --- conductivity -----------------------------------------------------------------------------

ROOT2 = np.sqrt(2)


@pytest.mark.parametrize(
    ("noise", "hamiltonian", "carried"),
    [
        # ω₀² = 4, χ = 1: v² = sin²2πk/(4 + 4 sin²πk), integrals over k by residues
        (VelocityFlip(0.5), (3 - 2 * ROOT2) / 2, 0.0),
        (VelocityExchange(0.5), (ROOT2 - 1) / 2, 0.25),
    ],
)
def test_conductivity_of_the_pinned_chain(noise, hamiltonian, carried):
    found = exact_kappa(Chain(16, Bond(chi=1.0), Pin(chi=4.0)), noise)
    np.testing.assert_allclose(found.hamiltonian, hamiltonian, rtol=1e-10)
    np.testing.assert_allclose(found.carried, carried, rtol=1e-12)
    np.testing.assert_allclose(found.total, hamiltonian + carried, rtol=1e-10)


@pytest.mark.parametrize("noise", [VelocityFlip(0.5), StretchFlip(0.5)])
def test_conductivity_of_unpinned_flips(noise):
    # χ/(4γ); the ring lacks the share of its wave number 0
    found = exact_kappa(Chain(16, Bond(chi=1.3)), noise)
    np.testing.assert_allclose([found.hamiltonian, found.carried], [0.65, 0.0], rtol=1e-10)
    np.testing.assert_allclose(found.ring, 0.65 - 1.3 / 16, rtol=1e-10)


@pytest.mark.parametrize("noise", [VelocityExchange(1.0), ThreeSiteRotation(1.0)])
def test_unpinned_conductivity_diverges_if_momentum_is_kept(noise):
    assert exact_kappa(Chain(16), noise).total == np.inf
    short, long = (exact_kappa(Chain(n), noise).ring for n in (256, 1024))
    np.testing.assert_allclose(long / short, 4.0, rtol=0.02)  # v²/φ is 1/4π²k²; the sum grows with n


@pytest.mark.parametrize("noise", [VelocityFlip(0.7), VelocityExchange(0.7), ThreeSiteRotation(0.7)])
def test_green_kubo_by_the_dense_resolvent(noise):
    """All second moments of a small ring: J(t) from the generator's matrix, J² by Wick's rule."""
    n, temperature = 5, 1.4
    chain = Chain(n, Bond(chi=1.3), Pin(chi=0.6))
    gradient = chain.stretches(np.eye(n)).T
    pairs = np.eye(n) + np.roll(np.eye(n), 1, axis=1)
    current = np.zeros((2 * n, 2 * n))  # J = xᵀ current x
    current[:n, n:] = -0.25 * 1.3 * gradient.T @ pairs
    current += current.T
    thermal = temperature * scipy.linalg.block_diag(np.linalg.inv(chain.stiffness_matrix()), np.eye(n))
    _, second, _, _ = dense_generator(chain, [], noise)
    correlated = 2 * thermal @ current @ thermal  # <x xᵀ J>
    resolved, *_ = np.linalg.lstsq(second, -correlated.ravel(), rcond=1e-11)
    np.testing.assert_allclose(second @ resolved, -correlated.ravel(), atol=1e-11)
    integral = (current.ravel() @ resolved) / (n * temperature**2)
    np.testing.assert_allclose(exact_kappa(chain, noise).ring, integral, rtol=1e-9)


@pytest.mark.parametrize("noise", [VelocityFlip(0.7), VelocityExchange(0.7), ThreeSiteRotation(0.7)])
def test_the_noise_carries_its_quadratic_variation(noise):
    """One group of the noise in the middle of nowhere: the squares of (kinetic energy × place) it moves."""
    size = {VelocityFlip: 1, VelocityExchange: 2, ThreeSiteRotation: 3}[type(noise)]
    place = np.diag(np.concatenate([np.zeros(3), 0.5 * np.arange(3)]))
    jumps, turns = noise_maps(Chain(3, boundary="free"), noise)
    if turns:
        moved = [np.sqrt(1 / 3) * (y.T @ place + place @ y) for y in turns]
    else:
        moved = [u.T @ place @ u - place for u in jumps[:1]]
    assert len(moved) == 1
    variation = noise.rate * sum(2 * np.trace(m @ m) + np.trace(m) ** 2 for m in moved)  # T = 1
    np.testing.assert_allclose(exact_kappa(Chain(8), noise).carried, variation / 2, atol=1e-12)
    assert (variation > 0.1) == (size > 1)


def extrapolated(noise, lengths, corrections):
    """The slope of n/J against n between baths at 1.5 and 0.5, with the given further terms."""
    resistance = []
    for n in lengths:
        chain = Chain(n, Bond(chi=1.0), Pin(chi=4.0), boundary="fixed")
        resistance.append(1 / stationary(chain, [Langevin(0, 1.5), Langevin(-1, 0.5)], noise).bath_powers[0])
    n = np.array(lengths, dtype=float)
    terms = np.stack([n, np.ones(n.size), *(f(n) for f in corrections)], axis=1)
    return 1 / np.linalg.lstsq(terms, np.array(resistance), rcond=None)[0][0]


def test_flip_conductivity_between_baths_is_green_kubo():
    noise = VelocityFlip(1.0)
    ring = Chain(16, Bond(chi=1.0), Pin(chi=4.0))
    np.testing.assert_allclose(extrapolated(noise, [32, 64], []), exact_kappa(ring, noise).total, rtol=1e-8)


@pytest.mark.parametrize("noise", [VelocityExchange(1.0), ThreeSiteRotation(1.0)])
def test_conductivity_between_baths_settles_what_the_noise_carries(noise):
    # long waves, with free paths of order 1/k, are ballistic below k ~ 1/n: n/J has a term log n
    corrections = [np.log, lambda n: np.log(n) / n, lambda n: 1 / n]
    found = extrapolated(noise, [16, 24, 32, 48, 64, 96], corrections)
    exact = exact_kappa(Chain(16, Bond(chi=1.0), Pin(chi=4.0)), noise)
    np.testing.assert_allclose(found, exact.total, rtol=1e-5)
    # a noise part of γ/6, or none, is far away
    assert abs(found - exact.hamiltonian - exact.carried / 6) > 0.1


FLIPS = StretchFlip(1.0)


@pytest.mark.parametrize(
    ("chain", "baths", "noise", "message"),
    [
        (Chain(4), [], VelocityFlip(1.0), "leave a part of the chain without a bath"),
        (Chain(4), [Langevin(0, 1.0, 0.0)], ThreeSiteRotation(1.0), "without a bath"),
        (
            Chain(4, Bond(chi=[1, 0, 1]), boundary="free"),
            [Langevin(0, 1.0)],
            VelocityFlip(1.0),
            "without a bath",
        ),
        (Chain(4), [], VelocityFlip(0.0), "leave a mode undamped"),
        (Chain(4), [Langevin(0, 1.0)], "flip", "noise = 'flip'; allowed: None or one of VelocityFlip"),
        (Chain(4), [Langevin(0, 1.0)], FLIPS, "noise flips the stretches"),
        (Chain(4, boundary="fixed"), [Langevin(0, 1.0)], FLIPS, "at most one wall"),
        (Chain(4, Bond(chi=1.0), Pin(chi=1.0), "free"), [Langevin(0, 1.0)], FLIPS, "no pin"),
        (Chain(2, boundary="free"), [], ThreeSiteRotation(1.0), "n = 2 with ThreeSiteRotation"),
        (Chain(4, Bond.fput(beta=1.0)), [Langevin(0, 1.0)], VelocityFlip(1.0), "chain is anharmonic"),
    ],
)
def test_noisy_rejections(chain, baths, noise, message):
    with pytest.raises(ValueError, match=message):
        stationary(chain, baths, noise)


def test_exchange_reaches_across_a_missing_spring():
    chain = Chain(4, Bond(chi=[1.0, 0.0, 1.0]), boundary="free")
    moments = stationary(chain, [Langevin(0, 2.0), Langevin(-1, 1.0)], VelocityExchange(0.5))
    np.testing.assert_allclose(moments.noise_currents[1], moments.bath_powers[0], rtol=1e-10)
    assert moments.energy_currents[1] == 0.0


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([1.0, 0.5], "ascending"),
        ([-1.0], "not negative"),
        ([np.nan], "times has entries that are not finite"),
        (1.0, "a vector"),
    ],
)
def test_evolution_rejects_times(times, message):
    with pytest.raises(ValueError, match=message):
        evolve(Chain(4), thermal_moments(Chain(4, pin=Pin(chi=1.0)), 1.0), times)


def test_evolution_rejects_another_chain_and_bad_moments():
    start = thermal_moments(Chain(4, pin=Pin(chi=1.0)), 1.0)
    with pytest.raises(ValueError, match="start has 4 sites; allowed: 5"):
        evolve(Chain(5), start, [1.0])
    zero, one = np.zeros((4, 4)), np.eye(4)
    with pytest.raises(ValueError, match=r"mean_q has shape \(3,\); allowed: \(4,\)"):
        Moments(Chain(4), np.zeros(3), np.zeros(4), one, zero, one)
    with pytest.raises(ValueError, match="pp is not symmetric"):
        Moments(Chain(4), np.zeros(4), np.zeros(4), one, zero, np.triu(np.ones((4, 4))))
    with pytest.raises(ValueError, match="qq has entries that are not finite"):
        Moments(Chain(4), np.zeros(4), np.zeros(4), np.full((4, 4), np.inf), zero, one)


@pytest.mark.parametrize(
    ("chain", "noise", "message"),
    [
        (Chain(4, boundary="fixed"), VelocityFlip(1.0), "boundary = 'fixed'; allowed: 'periodic'"),
        (Chain(4, Bond.fput(alpha=1.0)), VelocityFlip(1.0), "chain is anharmonic"),
        (Chain(4, Bond(chi=[1, 2, 1, 1])), VelocityFlip(1.0), "depend on the place"),
        (Chain(4), VelocityFlip(0.0), "a rate above 0"),
        (Chain(4), None, "a rate above 0"),
        (Chain(4, pin=Pin(chi=1.0)), FLIPS, "allowed: no pin"),
    ],
)
def test_conductivity_rejections(chain, noise, message):
    with pytest.raises(ValueError, match=message):
        exact_kappa(chain, noise)


@pytest.mark.parametrize("pin", [1e-3, 1e-11, 1e-24])
def test_conductivity_of_a_weak_pin(pin):
    """The closed form χ²/γω₀(√(ω₀² + 4χ) + ω₀) of the exchange, however narrow v²/φ is."""
    found = exact_kappa(Chain(8, Bond(chi=1.0), Pin(chi=pin)), VelocityExchange(1.0))
    soft = math.sqrt(pin)
    np.testing.assert_allclose(found.hamiltonian, 1 / (soft * (math.sqrt(pin + 4) + soft)), rtol=1e-9)


@pytest.mark.parametrize("noise", [VelocityFlip(0.7), VelocityExchange(0.7), ThreeSiteRotation(0.7)])
@pytest.mark.parametrize("chi", [0.9, -0.2, -0.2499])
def test_conductivity_is_the_limit_of_long_rings(noise, chi):
    """Also where a negative stiffness makes the waves soft at the edge of the zone."""
    chain = Chain(20_000, Bond(chi=chi), Pin(chi=1.0))
    found = exact_kappa(chain, noise)
    # a smooth periodic integrand, of which the ring lacks the value at k = 0
    lost = 0.0 if isinstance(noise, VelocityFlip) else chi**2 * 4 * np.pi**2 / (4 * np.pi**2 * 0.7)
    np.testing.assert_allclose(found.hamiltonian, found.ring + lost / chain.n, rtol=1e-9)


@pytest.mark.parametrize("unit", [1e-90, 1e-3, 1e90])
def test_conductivity_scales_with_the_units(unit):
    one = exact_kappa(Chain(8, Bond(chi=1.3), Pin(chi=0.4)), VelocityExchange(0.7))
    other = exact_kappa(
        Chain(8, Bond(chi=1.3 * unit**2), Pin(chi=0.4 * unit**2)), VelocityExchange(0.7 * unit)
    )
    for name in ("hamiltonian", "ring", "carried"):
        np.testing.assert_allclose(getattr(other, name), unit * getattr(one, name), rtol=1e-13)


def test_conductivity_refuses_a_pin_lost_beside_the_bonds():
    with pytest.raises(ValueError, match=r"pin\.chi = 1e-200; allowed: 0, or at least 1e-100 of bond\.chi"):
        exact_kappa(Chain(8, Bond(chi=1.0), Pin(chi=1e-200)), VelocityExchange(1.0))


def test_conductivity_without_springs():
    """Then the noise carries all."""
    found = exact_kappa(Chain(8, Bond(chi=0.0)), VelocityExchange(1.0))
    assert (found.hamiltonian, found.total) == (0.0, 0.5)


@pytest.mark.parametrize("noise", [VelocityExchange(0.7), ThreeSiteRotation(0.7)])
def test_noise_currents_of_means_and_covariances(noise):
    """Without springs a site's kinetic energy changes by what the noise hands over, means included."""
    rng = np.random.default_rng(5)
    loose, zero = Chain(5, Bond(chi=0.0), boundary="free"), np.zeros((5, 5))
    root = rng.standard_normal((5, 5))
    start = Moments(loose, np.zeros(5), rng.standard_normal(5), zero, zero, root @ root.T, noise=noise)

    def kinetic(state):
        return np.cumsum(state.temperatures + state.mean_p**2)[:-1] / 2

    h = 1e-3
    later = [kinetic(state) for state in evolve(loose, start, [0.0, h / 2, h], noise=noise)]
    lost = (4 * (later[0] - later[1]) - (later[0] - later[2])) / h  # the first order of h cancels
    np.testing.assert_allclose(start.noise_currents, lost, atol=1e-5)
    still = Moments(loose, np.zeros(5), np.zeros(5), zero, zero, start.pp, noise=noise)
    assert np.abs(start.noise_currents - still.noise_currents).max() > 0.1  # the means count
