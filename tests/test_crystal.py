"""Crystals: their energy against their frequencies, and their equilibrium."""

import dataclasses
import math
import pickle

import numpy as np
import pytest

from lattice import Bond, Chain, Crystal, Pin, dispersion, energy, mean, thermal

SHEET, BLOCK = Crystal((4, 5), Bond(chi=1.3), Pin(chi=0.4)), Crystal((3, 4, 3), pin=Pin(chi=0.2))


def axes(crystal):
    return tuple(range(-len(crystal.shape), 0))


@pytest.mark.parametrize("crystal", [SHEET, BLOCK])
def test_frequencies_are_those_of_the_energy(crystal):
    """Energy of a single wave, from the springs and from ω."""
    k = tuple(1 for _ in crystal.shape)
    y = np.indices(crystal.shape)
    phase = sum(2 * np.pi * m * part / n for m, part, n in zip(k, y, crystal.shape, strict=True))
    q = np.zeros((1, len(crystal.shape), *crystal.shape))
    q[0, 0] = np.cos(phase + 0.3)
    expected = dispersion(crystal)[k] ** 2 * (q**2).sum() / 2
    # cos² is not the same on all sites, so both phases are needed for the sum
    q2 = q.copy()
    q2[0, 0] = np.sin(phase + 0.3)
    expected += dispersion(crystal)[k] ** 2 * (q2**2).sum() / 2
    found = crystal.energy(q, 0 * q) + crystal.energy(q2, 0 * q)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_thermal():
    """Equipartition of every wave; 6 standard errors."""
    for crystal in (SHEET, Crystal((4, 3))):
        state = thermal(crystal, 0.7, 4000, rng=8)
        shape = axes(crystal)
        q_hat, p_hat = np.fft.fftn(state.q, axes=shape), np.fft.fftn(state.p, axes=shape)
        sites = math.prod(crystal.shape)
        spectra = np.abs(p_hat) ** 2, dispersion(crystal) ** 2 * np.abs(q_hat) ** 2
        for spectrum in spectra:
            found = mean((spectrum / sites).mean(axis=1))
            expected = np.full(crystal.shape, 0.7)
            if crystal.pin.is_zero and spectrum is not spectra[0]:
                expected[0, 0] = 0  # the translation is at 0, and moves
            assert (np.abs(found.value - expected) <= 6 * found.stderr + 1e-12).all()
            assert (found.stderr < 0.02).all()


@pytest.mark.parametrize("pin", [1e-14, 1e-200])
def test_the_softest_pin_holds_the_centre_of_mass(pin):
    """It has the displacement √(T/ω₀²) times that of the draws, and keeps its momentum."""
    crystal = Crystal((3, 4), pin=Pin(chi=pin))
    state = thermal(crystal, 0.7, 2, rng=5)
    z = math.sqrt(0.7) * np.random.default_rng(5).standard_normal((2, 2, 2, 3, 4)).mean(axis=(3, 4))
    np.testing.assert_allclose(state.q.mean(axis=(2, 3)), z[0] / math.sqrt(pin), rtol=1e-12)
    np.testing.assert_allclose(state.p.mean(axis=(2, 3)), z[1], rtol=1e-12)


def test_a_crystal_in_one_dimension_is_a_ring():
    """Energy, and equilibrium by the same random numbers."""
    row, ring = Crystal((7,), Bond(chi=1.3), Pin(chi=0.4)), Chain(7, Bond(chi=1.3), Pin(chi=0.4))
    state, other = thermal(row, 0.7, 3, rng=2), thermal(ring, 0.7, 3, rng=2)
    np.testing.assert_allclose(state.q[:, 0], other.q, atol=1e-13)
    np.testing.assert_array_equal(state.p[:, 0], other.p)
    np.testing.assert_allclose(row.energy(state.q, state.p), energy(ring, other.q, other.p), rtol=1e-13)


def test_springs_to_other_sites():
    """Bond by bond; a step stands for its opposite too, and half way round the ring for both."""
    crystal = Crystal((4, 3), {(1, 0): Bond(chi=1.0), (2, -1): Bond(chi=0.5), (2, 0): Bond(chi=0.2)})
    q, p = np.random.default_rng(1).normal(size=(2, 2, 4, 3))
    expected = (p**2).sum() / 2
    for y in np.ndindex(4, 3):
        for z, chi in (((1, 0), 1.0), ((2, -1), 0.5), ((2, 0), 0.2)):
            there = (y[0] + z[0]) % 4, (y[1] + z[1]) % 3
            expected += chi / 2 * ((q[:, *there] - q[:, *y]) ** 2).sum()
    assert abs(crystal.energy(q, p) / expected - 1) < 1e-13
    steps, stiffness = crystal.springs
    assert steps.tolist() == [[1, 0], [2, -1], [2, 0]]
    assert stiffness.tolist() == [1.0, 0.5, 0.2]


def test_equal_by_value():
    bonds = {(1, 0): Bond(chi=1.0), (1, 1): Bond(chi=0.5)}
    same = Crystal([4, 5], dict(reversed(bonds.items()))), Crystal((4, 5), bonds)
    assert same[0] == same[1]
    assert len({*same, Crystal((4, 5)), Crystal((4, 5), Bond(chi=1)), Crystal((5, 4)), SHEET}) == 4
    assert Crystal((4, 5), bonds, Pin(chi=1.0)) != same[0]
    assert pickle.loads(pickle.dumps(same[0])) == same[1]
    assert repr(Crystal((4, 5), Bond(chi=2))) == "Crystal(shape=(4, 5), bond=Bond(chi=2.0))"
    assert repr(same[1]) == "Crystal(shape=(4, 5), bond=(((1, 0), Bond(chi=1.0)), ((1, 1), Bond(chi=0.5))))"
    assert dataclasses.replace(same[1], shape=(4, 6)).bond == same[1].bond
    bonds[(0, 1)] = Bond(chi=3.0)  # a crystal stays what it is
    assert same[1] == same[0]
    with pytest.raises(TypeError):
        same[1].bond[0] = ((0, 1), Bond(chi=3.0))


def test_bad_arguments():
    for shape in ((4, 2), (4, 4, 4, 4), (4.0, 4), (), 4, "44", None, (10**9, 10**9)):
        with pytest.raises(ValueError, match=r"shape = .*; allowed"):
            Crystal(shape)
    for bond, message in (
        (Bond(chi=-1.0), r"bond\.chi = -1.0; allowed: a finite number at least 0"),
        (Bond(chi=[1.0, 2.0]), "bond = .*; allowed: a harmonic Bond with one chi"),
        (Bond.rotor(), "bond = .*; allowed: a harmonic Bond with one chi"),
        (1.0, "bond = 1.0; allowed: a Bond, or a dict"),
        ({}, "bond = {}; allowed: at least one step"),
        ({1: Bond()}, "bond has the step 1; allowed: 2 integers"),
        ({(1, 0): 1.0}, r"bond \(1, 0\) = 1.0; allowed: a Bond"),
        ({(1.0, 0): Bond()}, "bond step = 1.0; allowed: an integer"),
        ({(0, 0): Bond()}, "bond has the step .* leads back"),
        ({(4, 0): Bond()}, "bond has the step .* leads back"),
        ({(1, 0): Bond(), (-1, 0): Bond()}, r"bond has the step \(-1, 0\) twice"),
        ({(1, 0): Bond(), (-3, 5): Bond()}, r"bond has the step \(-3, 5\) twice"),
    ):
        with pytest.raises(ValueError, match=message):
            Crystal((4, 5), bond)
    with pytest.raises(ValueError, match=r"bond has the step \(1,\) twice"):
        Crystal((4,), {1: Bond(), (1,): Bond()})
    for pin in (Pin(chi=-0.1), Pin(beta=1.0), Pin(chi=[1.0, 2.0]), Bond(chi=1.0), 1.0):
        with pytest.raises(ValueError, match=r"pin.* = .*; allowed"):
            Crystal((4, 4), pin=pin)
    q, p = np.ones((2, 2, 2, 4, 5))
    with pytest.raises(ValueError, match="p has shape"):
        SHEET.energy(q, p[..., :3])
    with pytest.raises(ValueError, match=r"p has shape .* and q .*; allowed: equal shapes"):
        SHEET.energy(q, p[:1])
    with pytest.raises(ValueError, match=r"q has shape .*; allowed: \(..., 2, \*\(4, 5\)\)"):
        SHEET.energy(q[:, :1], p[:, :1])
    with pytest.raises(ValueError, match="allowed: smaller numbers"):
        SHEET.energy(1e200 * np.cos(np.arange(80.0)).reshape(q.shape), p)
    for temperature in (-0.1, math.inf):
        with pytest.raises(ValueError, match=f"temperature = {temperature!r}; allowed"):
            thermal(SHEET, temperature, 1, rng=1)
    with pytest.raises(ValueError, match=r"replicas = .* needs .* steps; allowed"):
        thermal(SHEET, 1.0, 10**18, rng=1)
    with pytest.raises(ValueError, match=r"medium = 1; allowed: a Chain or a Crystal"):
        thermal(1, 1.0, 1, rng=1)
