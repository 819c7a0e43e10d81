"""Resonant manifolds: every root is one, none is missing, and the Jacobians are derivatives."""

import numpy as np
import pytest

from lattice import Bond, Chain, Pin, dispersion
from lattice.kinetic import resonance

PINS = [0.0, 1e-6, 0.5, 30.0]


def chain_of(pin, chi=1.7):
    return Chain(8, Bond(chi=chi), Pin(chi=pin))


def circle(a, b):
    """Distance of wave numbers."""
    return np.abs(np.mod(np.asarray(a) - b + 0.5, 1.0) - 0.5)


@pytest.mark.parametrize("pin", PINS)
def test_four_phonons_conserve_and_are_no_exchange(pin):
    chain = chain_of(pin)
    k1, k3 = np.random.default_rng(1).random((2, 20_000))
    found = resonance.four_phonons(chain, k1, k3)
    omega = [dispersion(chain, k) for k in (k1, found.k2, k3, found.k4)]
    assert np.abs(omega[0] + omega[1] - omega[2] - omega[3]).max() < 1e-14 * omega[0].max() * 4
    assert circle(k1 + found.k2, k3 + found.k4).max() < 1e-14
    assert np.median(circle(found.k2, k3)) > 0.05  # the exchange would be 0
    assert ((found.k2 >= 0) & (found.k2 < 1) & (found.k4 >= 0) & (found.k4 < 1)).all()


@pytest.mark.parametrize("pin", PINS)
def test_four_phonons_misses_no_root(pin):
    """All sign changes of the energy along the circle: the exchange, the partner, and nothing else."""
    chain = chain_of(pin)
    scan = (np.arange(40_000) + 0.31) / 40_000
    for k1, k3 in ((0.07, 0.31), (0.13, 0.88), (0.42, 0.47), (0.91, 0.22), (0.501, 0.98)):
        energy = dispersion(chain, k1) + dispersion(chain, scan) - dispersion(chain, k3)
        energy -= dispersion(chain, k1 + scan - k3)
        roots = scan[np.flatnonzero(energy * np.roll(energy, -1) < 0)]
        partner = float(resonance.four_phonons(chain, k1, k3).k2)
        assert len(roots) == 2
        for expected in (partner, k3):
            assert circle(roots, expected).min() < 1e-4


@pytest.mark.parametrize("pin", PINS)
def test_jacobians_of_four_phonons_are_derivatives(pin):
    chain, h = chain_of(pin), 1e-5
    k1, k3 = np.random.default_rng(2).uniform(0.05, 0.95, (2, 2000))
    found = resonance.four_phonons(chain, k1, k3)

    def slope(k):
        return (dispersion(chain, k + h) - dispersion(chain, k - h)) / (2 * h)

    away = np.minimum(circle(found.k2, 0), circle(found.k4, 0)) > 0.01  # of the kink of an unpinned chain
    for jacobian, pair in ((found.jacobian, (found.k2, found.k4)), (found.balance, (k1, k3))):
        exact = np.abs(slope(pair[0]) - slope(pair[1]))
        np.testing.assert_allclose(jacobian[away], exact[away], atol=3e-6 * exact.max())


def test_four_phonons_of_fput_in_the_form_of_the_literature():
    """Without a pin: the closed form that Lukkarinen and Spohn use for the chain of FPUT."""
    k1, k3 = np.random.default_rng(3).random((2, 5000))
    x, z = 2 * np.pi * k1, 2 * np.pi * k3
    half = 2 * np.arcsin(np.tan(np.abs(z - x) / 4) * np.cos((z + x) / 4))
    found = resonance.four_phonons(Chain(8), k1, k3)
    assert circle(found.k2, ((z - x) / 2 + half) / (2 * np.pi)).max() < 1e-6  # arcsin near ±1
    # long waves on either side of 0, where ω(p/2) and Ω/2 nearly agree
    k1, k3 = np.array([3e-7, 1e-6]), np.array([-2e-7, -3e-6])
    x, z = 2 * np.pi * k1, 2 * np.pi * (k3 + 1)
    half = 2 * np.arcsin(np.tan((z - x) / 4) * np.cos((z + x) / 4))
    expected = ((z - x) / 2 + half) / (2 * np.pi)
    assert (circle(expected, k3) > 0.1).all()
    assert circle(resonance.four_phonons(Chain(8), k1, k3).k2, expected).max() < 1e-9


def test_four_phonons_touch_the_exchange_where_the_jacobian_vanishes():
    """At k₂ = k₃, k₁ = k₃ and k₁ + k₂ = 0; forward scattering has a partner with the same velocity."""
    chain = chain_of(0.5)
    forward = resonance.four_phonons(chain, 0.3, 0.3)
    assert forward.jacobian == forward.balance == 0
    assert circle(forward.k2, 0.3) > 0.05
    near = resonance.four_phonons(chain, 0.3, 0.3 + 1e-6)
    assert circle(near.k2, forward.k2) < 1e-5
    for shift in (0.0, 3.0, -2.0):
        moved = resonance.four_phonons(chain, 0.15 + shift, 0.4)
        assert circle(moved.k2, resonance.four_phonons(chain, 0.15, 0.4).k2) < 1e-14


def test_refusals_of_four_phonons():
    with pytest.raises(ValueError, match="k1 has integers"):
        resonance.four_phonons(Chain(8), [0.1, 2.0], 0.3)
    with pytest.raises(ValueError, match=r"k1 has shape .* fit together"):
        resonance.four_phonons(chain_of(1.0), [0.1, 0.2], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="positive stiffness"):
        resonance.four_phonons(Chain(8, Bond(chi=0.0), Pin(chi=1.0)), 0.1, 0.2)
