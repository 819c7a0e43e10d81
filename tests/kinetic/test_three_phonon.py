"""L ↔ T + T: the list of interactions against integrals along the manifold, which share only physics."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq

from lattice import Bond, Crystal, Pin
from lattice.kinetic import three_phonon

LAWS = [(2.5, 1.0, 0.3, 0.2), (4.0, 1.0, 2.0, 0.25)]  # χ_L, χ_T, ω₀² of L and T


def plane(along, across, pin_along, pin_across):
    bonds = {1: (Bond(chi=along), Bond(chi=across))}
    return Crystal((8,), bonds, (Pin(chi=pin_along), Pin(chi=pin_across)), components=2)


def frequencies(laws):
    along, across, pin_along, pin_across = laws
    return (
        lambda k: np.sqrt(pin_along + 4 * along * np.sin(np.pi * k) ** 2),
        lambda k: np.sqrt(pin_across + 4 * across * np.sin(np.pi * k) ** 2),
    )


def n_along(k):
    return np.exp(0.6 * np.cos(2 * np.pi * k)) * (1 + 0.3 * np.sin(2 * np.pi * k))


def n_across(k):
    return 1 + 0.5 * np.cos(2 * np.pi * k - 0.7)


def rate(laws, branch, k, quantum=0.0, weight=np.ones_like):
    """Of change of n at k, by roots on a scan and slopes by differences; times a weight of the wave L."""
    omega_l, omega_t = frequencies(laws)

    def triple(x):  # L, T, T
        return (k, x, k - x) if branch == 0 else (k + x, k, x)

    def miss(x):
        one, two, three = triple(x)
        return omega_l(one) - omega_t(two) - omega_t(three)

    scan, total, h = (np.arange(4001) + 0.217) / 4000, 0.0, 1e-6
    values = miss(scan)
    for i in np.flatnonzero(values[1:] * values[:-1] < 0):
        x = brentq(miss, scan[i], scan[i + 1], xtol=1e-15)
        legs = triple(x)
        omegas = omega_l(legs[0]), omega_t(legs[1]), omega_t(legs[2])
        sines = np.prod([np.sin(np.pi * leg) ** 2 / omega for leg, omega in zip(legs, omegas, strict=True)])
        n, one, two = n_along(legs[0]), n_across(legs[1]), n_across(legs[2])
        f = n * (one + two + quantum) - one * two
        slope = abs(miss(x + h) - miss(x - h)) / (2 * h)
        total += 8 * (laws[0] - laws[1]) ** 2 * sines * f / slope * weight(legs[0])
    return total * (-np.pi if branch == 0 else 2 * np.pi)


def state(nodes):
    k = np.arange(nodes) / nodes
    return np.concatenate([n_along(k), n_across(k)])


@pytest.mark.parametrize("statistics", ["rayleigh-jeans", "bose-einstein"])
def test_rates_converge_to_the_integrals_at_each_wave_number(statistics):
    """The band edges among them; order 2 once the manifold is sampled finely."""
    laws, quantum = LAWS[0], float(statistics == "bose-einstein")
    places = {0: [0.25, 0.3125, 0.625, 0.6875], 1: [0.0, 0.125, 0.5, 0.625, 0.9375]}  # away from the folds
    exact = np.array([rate(laws, branch, k, quantum) for branch, ks in places.items() for k in ks])
    errors = []
    for nodes in (16, 32, 64):
        found = three_phonon.collision(plane(*laws), nodes, nodes * nodes, statistics=statistics)
        change = found.rate_of_change(state(nodes))
        at = [round(k * nodes) + branch * nodes for branch, ks in places.items() for k in ks]
        errors.append(np.abs(change[at] - exact).max())
    scale = np.abs(exact).max()
    assert errors[2] < 0.03 * scale
    assert 1.5 < np.log2(errors[0] / errors[2]) / 2 < 2.6


def test_integrals_over_the_zone_agree_where_rates_diverge():
    """The loss of L waves, weighted: it diverges at the ends of their range; seen from T it is smooth."""
    laws, nodes = LAWS[0], 128
    gain = [rate(laws, 1, (i + 0.5) / 400, weight=lambda k: np.cos(2 * np.pi * k)) for i in range(400)]
    found = three_phonon.collision(plane(*laws), nodes, 16 * nodes)
    weight = np.cos(2 * np.pi * np.arange(nodes) / nodes)
    loss = (found.measure * found.rate_of_change(state(nodes)))[:nodes]
    assert_allclose(loss @ weight, -np.mean(gain) / 2, atol=5e-3 * np.abs(loss).sum())
    assert abs(loss @ weight) > 0.1 * np.abs(loss).sum()


@pytest.mark.parametrize("laws", LAWS)
def test_energy_and_number_stay_and_the_wave_number_does_not(laws):
    nodes = 32
    found = three_phonon.collision(plane(*laws), nodes, 256)
    change = found.measure * found.rate_of_change(state(nodes))
    scale = np.abs(change).sum()
    k = np.arange(nodes) / nodes
    energy = np.concatenate([omega(k) for omega in frequencies(laws)])
    for invariant in (energy, np.repeat([2.0, 1.0], nodes)):
        assert abs(change @ invariant) < 1e-13 * scale * invariant.max()
    signed = np.tile((np.arange(nodes) / nodes + 0.5) % 1 - 0.5, 2)
    assert abs(change @ signed) > 1e-4 * scale
    assert (found.branch == np.repeat([0, 1], nodes)).all()


def test_equilibria_stay():
    """1/n = ω/T and, as the number 2 N_L + N_T is kept, a chemical potential besides."""
    laws, nodes = LAWS[1], 32
    found = three_phonon.collision(plane(*laws), nodes, 256)
    scale = np.abs(found.rate_of_change(state(nodes))).max()
    omega = found.invariants[0]
    for potential in (0.0, 0.2):
        n = 1 / (1.3 * omega + potential * found.invariants[1])
        assert np.abs(found.rate_of_change(n)).max() < 1e-12 * scale
    assert np.abs(found.rate_of_change(1 / (1.3 * omega + 0.2))).max() > 1e-3 * scale  # N_L + N_T is not kept


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crystal": plane(4.0, 1.0, 0.0, 0.25)}, "allowed: two pins"),
        ({"crystal": plane(1.5, 1.0, 7.0, 2.0)}, "no longitudinal wave decays"),
        ({"crystal": Crystal((8,))}, "a chain in a plane"),
        ({"nodes": 7}, "an even number"),
        ({"samples": 0}, "samples = 0"),
        ({"statistics": "fermi-dirac"}, "statistics = 'fermi-dirac'"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        three_phonon.collision(**({"crystal": plane(*LAWS[0]), "nodes": 8, "samples": 16} | change))
