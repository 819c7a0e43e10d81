"""Crystals: their energy against their frequencies, and their equilibrium."""

import dataclasses
import math
import pickle

import numpy as np
import pytest

from lattice import Bond, Chain, Crystal, Pin, dispersion, energy, mean, mode_energy, thermal

SHEET, BLOCK = Crystal((4, 5), Bond(chi=1.3), Pin(chi=0.4)), Crystal((3, 4, 3), pin=Pin(chi=0.2))
PLANE = Crystal((5,), {1: (Bond(chi=4.0), Bond(chi=1.0))}, components=2)
OBLIQUE = Crystal(
    (3, 4),
    {(1, 0): (Bond(chi=2.0), Bond(chi=0.3)), (1, 1): (Bond(chi=0.7), Bond(chi=0.1)), (1, -1): Bond(chi=0.4)},
    (Pin(chi=0.2), Pin(chi=0.0), Pin(chi=0.5)),
    components=3,
)
SOLID = Crystal(
    (3, 4, 3),
    {
        (1, 0, 0): Bond(chi=1.0),
        (0, 1, -2): (Bond(chi=2.0), Bond(chi=0.0)),
        (1, 1, 1): (Bond(), Bond(chi=1.0)),
    },
)


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


@pytest.mark.parametrize("crystal", [PLANE, OBLIQUE, SOLID])
def test_springs_along_and_across(crystal):
    """Site by site: the part of a stretch along its spring, and the rest."""
    shape = (crystal.components, *crystal.shape)
    q, p = np.random.default_rng(1).normal(size=(2, *shape))
    pins = crystal.pin if isinstance(crystal.pin, tuple) else [crystal.pin] * crystal.components
    expected = (p**2).sum() / 2 + sum(pin.chi * (q[i] ** 2).sum() / 2 for i, pin in enumerate(pins))
    for z, law in crystal.bond:
        along, across = law if isinstance(law, tuple) else (law, law)
        e = np.zeros(crystal.components)
        e[: crystal.d] = np.array(z) / np.linalg.norm(z)
        for y in np.ndindex(*crystal.shape):
            r = q[:, *np.mod(np.add(y, z), crystal.shape)] - q[:, *y]
            part = (e @ r) ** 2
            expected += (along.chi * part + across.chi * (r @ r - part)) / 2
    assert abs(crystal.energy(q, p) / expected - 1) < 1e-13
    assert abs(crystal.energy([q, q], [p, -p]) / expected - 1).max() < 1e-13
    assert not crystal.is_scalar
    assert crystal.springs[1].shape == (len(crystal.bond), 2)


def test_who_mixes():
    """Springs aslant, if they tell along from across; springs along axes never do."""
    assert [crystal.mixes for crystal in (SHEET, PLANE, OBLIQUE, SOLID)] == [False, False, True, True]
    alike = {(1, 1): (Bond(chi=2.0), Bond(chi=2.0))}
    assert not Crystal((4, 5), alike).mixes
    assert not Crystal((4, 5), alike).is_scalar
    assert not Crystal((4, 5), {(3, 0): (Bond(chi=2.0), Bond(chi=1.0))}).mixes
    assert Crystal((4, 5), {(1, 1): Bond(chi=2.0)}, components=3).is_scalar


def test_components_that_are_alike_add_their_energies():
    """A scalar crystal with more components than dimensions, against rings of its own."""
    row = Crystal((7,), Bond(chi=1.3), Pin(chi=0.4), components=3)
    ring = Chain(7, Bond(chi=1.3), Pin(chi=0.4))
    q, p = np.random.default_rng(1).normal(size=(2, 4, 3, 7))
    np.testing.assert_allclose(row.energy(q, p), energy(ring, q, p).sum(axis=1), rtol=1e-13)
    assert thermal(row, 1.0, 2, rng=1).q.shape == (2, 3, 7)


@pytest.mark.parametrize("crystal", [PLANE, OBLIQUE, SOLID])
def test_equilibrium_of_branches(crystal):
    """Equipartition of every wave of every branch, half of it without a spring; 6 standard errors."""
    state = thermal(crystal, 0.7, 4000, rng=8)
    found = mean(mode_energy(crystal, state.q, state.p))
    expected = np.where(dispersion(crystal) > 0, 0.7, 0.35)
    assert (np.abs(found.value - expected) <= 6 * found.stderr).all()
    assert (found.stderr < 0.02).all()


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
    assert repr(PLANE) == (
        "Crystal(shape=(5,), bond=(((1,), (Bond(chi=4.0), Bond(chi=1.0))),), components=2)"
    )
    assert pickle.loads(pickle.dumps(OBLIQUE)) == OBLIQUE == dataclasses.replace(OBLIQUE)
    assert Crystal((5,), dict(PLANE.bond), components=2) == PLANE != dataclasses.replace(PLANE, components=3)
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
    for components in (1, 4, 2.0, True):
        with pytest.raises(ValueError, match=r"components = .*; allowed: an integer"):
            Crystal((4, 4), components=components)
    pair = (Bond(chi=2.0), Bond(chi=1.0))
    for keys, message in (
        ({"bond": {1: pair}}, r"bond \(1,\) = .* with components = 1; allowed: one Bond, or a pair"),
        ({"bond": {1: (*pair, Bond())}, "components": 3}, r"bond \(1,\) = .*; allowed: one Bond, or a pair"),
        ({"bond": {1: (pair[0], 1.0)}, "components": 2}, r"bond \(1,\) across = 1.0; allowed: a Bond"),
        ({"bond": {1: (Bond.rotor(), pair[1])}, "components": 2}, r"bond \(1,\) along = .*; allowed: a harm"),
        ({"bond": pair, "components": 2}, "bond = .*; allowed: a Bond, or a dict"),
        ({"pin": (Pin(), Pin())}, "pin = .*; allowed: a Pin, or 1 of them"),
        ({"pin": (Pin(), Pin(chi=-1.0)), "components": 2}, r"pin 1.chi = -1.0; allowed"),
        ({"pin": (Pin(), Bond()), "components": 2}, r"pin 1 = .*; allowed: a Pin"),
    ):
        with pytest.raises(ValueError, match=message):
            Crystal((4,), **keys)
    with pytest.raises(ValueError, match=r"q has shape \(5,\); allowed: \(..., \*\(2, 5\)\)"):
        PLANE.energy(np.ones(5), np.ones(5))
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
