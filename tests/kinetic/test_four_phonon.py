"""Four phonons of the pinned quartic chain: the sum against an integral along a manifold found by search."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lattice import Bond, Chain, Pin
from lattice.kinetic import four_phonon
from lattice.kinetic._nodes import measure, shares

LAMBDA = 0.7
CASES = {"soft": (1.0, 1.0), "stiff": (2.5, 0.4)}  # χ, ω₀²


def made(chi, pin, nodes, **more):
    chain = Chain(8, Bond(chi=chi), Pin(chi=pin, beta=LAMBDA))
    return four_phonon.collision(chain, nodes, 4 * nodes, **more)


def frequency(chi, pin):
    return lambda k: np.sqrt(pin + 4 * chi * np.sin(np.pi * k) ** 2)


def start(omega):
    return lambda k: (1.2 + 0.8 * np.cos(4 * np.pi * k) + 0.3 * np.sin(2 * np.pi * k)) / omega(k)


def along_the_manifold(k1, omega, n, points=1500, grid=400):
    """The collision integral at k1: for each k3 the k2 of a resonance by bisection, over its slope."""
    k3 = ((np.arange(points) + 0.5) / points)[:, None]

    def miss(k2, k3=k3):
        return omega(k1) + omega(k2) - omega(k3) - omega(k1 + k2 - k3)

    edges = np.linspace(0, 1, grid + 1) + 0.00123
    signs = np.sign(miss(edges))
    rows, cells = np.nonzero(signs[:, 1:] != signs[:, :-1])
    low, high, k3, sign = edges[cells], edges[cells + 1], k3[rows, 0], signs[rows, cells]
    for _ in range(45):
        middle = (low + high) / 2
        same = np.sign(miss(middle, k3)) == sign
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    k2 = (low + high) / 2
    real = np.abs((k2 - k3 + 0.5) % 1 - 0.5) > 1e-7  # not the exchange, which does nothing
    k2, k3 = k2[real], k3[real]
    slope = np.abs(miss(k2 + 1e-5, k3) - miss(k2 - 1e-5, k3)) / 2e-5
    waves = np.stack([k1 + 0 * k2, k2, k3, k1 + k2 - k3])
    occupied = n(waves)
    forces = np.array([1, 1, -1, -1]) @ (1 / occupied)
    vertex = (3 * LAMBDA / 4) ** 2 / omega(waves).prod(axis=0)
    return np.sum(4 * np.pi * vertex * occupied.prod(axis=0) * forces / slope) / points


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_pointwise_and_of_second_order(case):
    """At both edges of the band and between; a factor of 2 in one of the four ways to be wave 1 is seen."""
    omega = frequency(*case)
    n = start(omega)
    places = np.array([0, 1, 4, 6, 7]) / 8
    exact = np.array([along_the_manifold(k + 1e-9, omega, n) for k in places])
    errors = []
    for nodes in (48, 96, 192):
        collision = made(*case, nodes)
        found = collision.rate_of_change(n(collision.nodes))[np.round(places * nodes).astype(int)]
        errors.append(np.abs(found - exact).max() / np.abs(exact).max())
    assert errors[-1] < 1e-2
    assert 1.6 < np.log2(errors[0] / errors[2]) / 2 < 2.6


@pytest.mark.parametrize("statistics", ["rayleigh-jeans", "bose-einstein"])
def test_number_and_energy_stay_and_the_wave_number_does_not(statistics):
    omega = frequency(1.0, 1.0)
    collision = made(1.0, 1.0, 32, statistics=statistics)
    change = collision.measure * collision.rate_of_change(start(omega)(collision.nodes))
    flow = np.abs(change).sum()
    assert abs(change.sum()) < 1e-13 * flow
    assert abs(change @ omega(collision.nodes)) < 1e-13 * flow
    signed = (collision.nodes + 0.5) % 1 - 0.5
    assert abs(change @ signed) > 1e-4 * flow


def test_many_quanta_are_a_wave():
    """With n quanta on each node the rates of bosons tend to those of waves, with an error of order 1/n."""
    waves, bosons = (made(1.0, 1.0, 32, statistics=s) for s in ("rayleigh-jeans", "bose-einstein"))
    n = start(frequency(1.0, 1.0))(waves.nodes)
    for many in (1e3, 1e4):
        rates = [collision.rate_of_change(many * n) / many**3 for collision in (waves, bosons)]
        assert_allclose(rates[1], rates[0], atol=10 / many * np.abs(rates[0]).max())


def test_shares_keep_number_and_frequency():
    omega, k = frequency(1.0, 0.3), np.random.default_rng(1).random(1000)
    node, share = shares(omega, k, 16)
    assert_allclose(share.sum(axis=-1), 1, rtol=1e-15)
    assert_allclose((share * omega(node / 16)).sum(axis=-1), omega(k), rtol=1e-14)
    m = measure(omega, 16)
    assert_allclose(m.sum(), 1, rtol=1e-14)
    fine = (np.arange(200_000) + 0.5) / 200_000
    assert_allclose(m @ omega(np.arange(16) / 16), omega(fine).mean(), rtol=1e-9)


@pytest.mark.parametrize(
    "chain",
    [
        Chain(8),
        Chain(8, pin=Pin(chi=1.0)),
        Chain(8, pin=Pin(beta=1.0)),
        Chain(8, Bond(chi=1.0, beta=1.0), Pin(chi=1.0, beta=1.0)),
        Chain(8, pin=Pin(chi=1.0, alpha=0.1, beta=1.0)),
        Chain(3, Bond(chi=[1.0, 2.0, 3.0]), Pin(chi=1.0, beta=1.0)),
    ],
    ids=repr,
)
def test_refuses_other_chains(chain):
    with pytest.raises(ValueError, match=r"chain .*allowed"):
        four_phonon.collision(chain, 8, 8)


def test_refuses_other_meshes():
    chain = Chain(8, pin=Pin(chi=1.0, beta=1.0))
    for nodes, samples, name in ((7, 8, "nodes"), (2, 8, "nodes"), (8, 3, "samples"), (8, 10**5, "samples")):
        with pytest.raises(ValueError, match=name):
            four_phonon.collision(chain, nodes, samples)
    with pytest.raises(ValueError, match="statistics"):
        four_phonon.collision(chain, 8, 8, statistics="classical")
